/** Deutsch: words about files. */
import { counter } from '../plural.ts'
import type { FileMessages } from './en.ts'

const count = counter('de')
const several = (n: number) => count(n, { one: '# Datei', other: '# Dateien' })

export const files: FileMessages = {
  title: (n) => `${several(n)} senden`,
  caption: 'Nachricht dazu',
  send: 'Senden',
  leaveOut: (name) => `${name} weglassen`,
  quality: (name) => `Größe von ${name}`,
  original: (size) => `Wie sie ist, ${size}`,
  smaller: (size) => `Kleiner, etwa ${size}`,
  smallerWait: 'Kleiner, wird gemacht',
  tooMany: (n) => `Höchstens ${several(n)} auf einmal; der Rest wurde weggelassen.`,
  empty: (name) => `${name} ist leer.`,
  tooLarge: (name) => `${name} ist größer als 16 GB.`,
  folder: (name) => `${name} ist ein Ordner oder nicht lesbar.`,
  dropHere: 'Dateien hier loslassen, um sie zu senden',
  preparing: (name, percent) => `${name} wird vorbereitet: ${percent}`,
  cancelOf: (name) => `${name} abbrechen`,
  notTaken: {
    full: (name) => `Nicht gesendet: Auf diesem Gerät ist kein Platz für ${name}.`,
    failed: (name) => `Nicht gesendet: ${name} konnte auf diesem Gerät nicht abgelegt werden.`,
    changed: (name) => `Nicht gesendet: ${name} hat sich beim Lesen verändert.`,
  },
  makeRoom: 'Platz schaffen',
  offered: (size, who) => `${size} · von ${who}`,
  offeredOwn: (size) => `${size} · nicht mehr auf diesem Gerät`,
  get: 'Holen',
  open: 'Öffnen',
  save: 'Speichern',
  pause: 'Anhalten',
  resume: 'Fortsetzen',
  cancel: 'Abbrechen',
  remove: 'Von diesem Gerät entfernen',
  getting: (held, size) => `${held} von ${size}`,
  rate: (rate) => `${rate} pro Sekunde`,
  left: (time) => `noch etwa ${time}`,
  minutes: (n) => `${n} Min.`,
  seconds: (n) => `${n} Sek.`,
  hours: (n) => `${n} Std.`,
  from: (who) => `von ${who}`,
  waiting: (held, size) =>
    `Wartet bei ${held} von ${size}. Es geht weiter, wenn jemand in Reichweite ist, der sie hat.`,
  paused: (held, size) => `Angehalten bei ${held} von ${size}`,
  full: (needed) => `Kein Platz auf diesem Gerät: ${needed} fehlen.`,
  again: 'Noch einmal',
  checked: (size) => `${size} · vollständig und geprüft`,
  onlyYou: (size) => `${size} · nur Sie haben sie`,
  alsoOn: (n) => count(n, { one: '# anderes Gerät hat sie', other: '# andere Geräte haben sie' }),
  damaged: (who) => `Die Kopie von ${who} war beschädigt; dieser Teil kommt von jemand anderem.`,
  notShown: 'Zu groß, um hier gezeigt zu werden; zum Ansehen speichern.',
  progress: (name) => `Wie viel von ${name} hier ist`,
  savesBandwidth: 'Keine Datei von selbst holen (schont langsame Verbindungen)',
  picture: (name) => `Bild: ${name}`,
}

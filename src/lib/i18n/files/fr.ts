/** Français: words about files. */
import { counter } from '../plural.ts'
import type { FileMessages } from './en.ts'

const count = counter('fr')
const several = (n: number) => count(n, { one: '# fichier', other: '# fichiers' })

export const files: FileMessages = {
  title: (n) => `Envoyer ${several(n)}`,
  caption: 'Ajouter un message',
  send: 'Envoyer',
  leaveOut: (name) => `Laisser ${name} de côté`,
  quality: (name) => `Taille de ${name}`,
  original: (size) => `Telle quelle, ${size}`,
  smaller: (size) => `Plus petite, environ ${size}`,
  smallerWait: 'Plus petite, en préparation',
  tooMany: (n) => `Au plus ${several(n)} à la fois ; le reste a été laissé de côté.`,
  empty: (name) => `${name} est vide.`,
  tooLarge: (name) => `${name} dépasse 16 Go.`,
  folder: (name) => `${name} est un dossier ou ne peut pas être lu.`,
  dropHere: 'Déposez ici les fichiers à envoyer',
  preparing: (name, percent) => `Préparation de ${name} : ${percent}`,
  cancelOf: (name) => `Annuler ${name}`,
  notTaken: {
    full: (name) => `Pas envoyé : il n’y a pas de place pour ${name} sur cet appareil.`,
    failed: (name) => `Pas envoyé : ${name} n’a pas pu être gardé sur cet appareil.`,
    changed: (name) => `Pas envoyé : ${name} a changé pendant la lecture.`,
  },
  makeRoom: 'Faire de la place',
  offered: (size, who) => `${size} · de ${who}`,
  offeredOwn: (size) => `${size} · n’est plus sur cet appareil`,
  get: 'Récupérer',
  open: 'Ouvrir',
  save: 'Enregistrer',
  pause: 'Suspendre',
  resume: 'Reprendre',
  cancel: 'Annuler',
  remove: 'Retirer de cet appareil',
  getting: (held, size) => `${held} sur ${size}`,
  rate: (rate) => `${rate} par seconde`,
  left: (time) => `encore ${time} environ`,
  minutes: (n) => `${n} min.`,
  seconds: (n) => `${n} sec.`,
  hours: (n) => `${n} h.`,
  from: (who) => `de ${who}`,
  waiting: (held, size) =>
    `En attente à ${held} sur ${size}. La suite viendra quand quelqu’un qui l’a sera à portée.`,
  paused: (held, size) => `Suspendu à ${held} sur ${size}`,
  full: (needed) => `Pas de place sur cet appareil : il manque ${needed}.`,
  again: 'Réessayer',
  checked: (size) => `${size} · complet et vérifié`,
  onlyYou: (size) => `${size} · vous seul l’avez`,
  alsoOn: (n) => count(n, { one: '# autre appareil l’a', other: '# autres appareils l’ont' }),
  damaged: (who) => `La copie de ${who} était abîmée ; cette partie vient de quelqu’un d’autre.`,
  notShown: 'Trop grand pour être montré ici ; enregistrez-le pour le voir.',
  progress: (name) => `Part de ${name} présente ici`,
  savesBandwidth: 'Ne récupérer aucun fichier de soi-même (ménage les liaisons lentes)',
  picture: (name) => `Image : ${name}`,
}

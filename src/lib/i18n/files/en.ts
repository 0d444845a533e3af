/** Words about files, in English. */
function several(n: number): string {
  return n === 1 ? '1 file' : `${n} files`
}

export const files = {
  title: (n: number) => `Send ${several(n)}`,
  caption: 'Add a message',
  send: 'Send',
  leaveOut: (name: string) => `Leave out ${name}`,
  quality: (name: string) => `Size of ${name}`,
  original: (size: string) => `Original, ${size}`,
  smaller: (size: string) => `Smaller, about ${size}`,
  smallerWait: 'Smaller, being made',
  tooMany: (n: number) => `At most ${several(n)} at once; the rest was left out.`,
  empty: (name: string) => `${name} is empty.`,
  tooLarge: (name: string) => `${name} is larger than 16 GB.`,
  folder: (name: string) => `${name} is a folder or cannot be read.`,
  dropHere: 'Drop files to send them here',
  preparing: (name: string, percent: string) => `Preparing ${name}: ${percent}`,
  cancelOf: (name: string) => `Cancel ${name}`,
  notTaken: {
    full: (name: string) => `Not sent: there is no room for ${name} on this device.`,
    failed: (name: string) => `Not sent: ${name} could not be kept on this device.`,
    changed: (name: string) => `Not sent: ${name} changed while it was read.`,
  },
  makeRoom: 'Make room',
  offered: (size: string, who: string) => `${size} · from ${who}`,
  offeredOwn: (size: string) => `${size} · not on this device any more`,
  get: 'Get',
  open: 'Open',
  save: 'Save',
  pause: 'Pause',
  resume: 'Resume',
  cancel: 'Cancel',
  remove: 'Remove from this device',
  getting: (held: string, size: string) => `${held} of ${size}`,
  rate: (rate: string) => `${rate}/s`,
  left: (time: string) => `about ${time} left`,
  minutes: (n: number) => `${n} min`,
  seconds: (n: number) => `${n} s`,
  hours: (n: number) => `${n} h`,
  from: (who: string) => `from ${who}`,
  waiting: (held: string, size: string) =>
    `Waiting at ${held} of ${size}. It goes on when somebody who has it is in reach.`,
  paused: (held: string, size: string) => `Paused at ${held} of ${size}`,
  full: (needed: string) => `No room on this device: ${needed} more are needed.`,
  again: 'Try again',
  checked: (size: string) => `${size} · complete and checked`,
  onlyYou: (size: string) => `${size} · only you have it`,
  alsoOn: (n: number) => (n === 1 ? '1 other device has it' : `${n} other devices have it`),
  damaged: (who: string) => `The copy from ${who} was damaged; that part comes from somebody else.`,
  notShown: 'Too large to be shown here; save it to look at it.',
  progress: (name: string) => `How much of ${name} is here`,
  savesBandwidth: 'Fetch no file by itself (saves a slow link)',
  picture: (name: string) => `Picture: ${name}`,
}

export type FileMessages = typeof files

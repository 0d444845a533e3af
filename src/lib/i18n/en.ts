/** Every word on the screen, in English. `ux.md` §4 has the copy; other languages have the same shape. */
export const en = {
  message: {
    actions: 'Message actions',
    more: 'More actions',
    reply: 'Reply',
    react: 'React',
    copy: 'Copy text',
    copyLink: 'Copy link',
    copied: 'Copied',
    edit: 'Edit',
    whoHas: 'Who has this',
    remove: 'Delete for everyone',
    removeTitle: 'Delete this message for everyone?',
    removeHint:
      'People out of reach will still see it until they’re back. Someone may already have read or copied it.',
    cancel: 'Cancel',
    removeNow: 'Delete',
    edited: 'edited',
    deleted: (who: string) => `${who} deleted a message`,
    history: 'Earlier versions',
    reactWith: (emoji: string) => `React with ${emoji}`,
    reactedBy: (emoji: string, who: string) => `${emoji}, ${who}`,
    answering: (who: string) => `Answer to ${who}`,
    notHere: 'a message that this device does not have yet',
  },
  composer: {
    replyingTo: (who: string) => `Replying to ${who}`,
    editing: 'Editing',
    stop: 'Stop',
    escape: 'Esc to cancel',
    save: 'Save',
  },
  whoHas: {
    title: 'Who has this message',
    with: 'With these people',
    notYet: 'Not with these people yet',
    nobody: 'Nobody else has it yet. It goes out by itself when someone is in reach.',
    carriers: 'Carried also by',
    counted: (node: string, people: number) => `${people} at ${node}`,
    close: 'Close',
  },
}

export type Messages = typeof en

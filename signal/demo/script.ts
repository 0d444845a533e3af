/** What happens in the demo, and when. One round takes about two minutes; then it begins again. */
export const nodeNames = ['shelter', 'eoc', 'hilltop'] as const
export type NodeName = (typeof nodeNames)[number]

export const cast = {
  maria: { name: 'Maria (demo)', at: 'shelter' },
  tom: { name: 'Tom (demo)', at: 'shelter' },
  lena: { name: 'Lena (demo)', at: 'eoc' },
  ravi: { name: 'Ravi (demo)', at: 'eoc' },
  ida: { name: 'Ida (demo)', at: 'hilltop' },
} as const satisfies Record<string, { readonly name: string; readonly at: NodeName }>
export type Role = keyof typeof cast

export type Step =
  | { readonly atS: number; readonly who: Role; readonly say: string; readonly answering?: string }
  /** The sketch of the roads, with words to it. */
  | { readonly atS: number; readonly who: Role; readonly sketch: string }
  | { readonly atS: number; readonly who: Role; readonly react: string; readonly to: string }
  /** The node's power is cut, or comes back. */
  | { readonly atS: number; readonly node: NodeName; readonly power: 'off' | 'on' }
  /** Its radio hears nobody, while those who are at it still hear it. */
  | { readonly atS: number; readonly node: NodeName; readonly radio: 'off' | 'on' }

export const roundS = 150

export const steps: readonly Step[] = [
  { atS: 2, who: 'maria', say: 'Shelter is open. 43 people here, *water for two days*.' },
  { atS: 6, who: 'lena', say: 'Copy. What do you need first?', answering: 'Shelter is open' },
  { atS: 10, who: 'maria', say: 'In this order:\n1. blankets\n2. insulin\n3. diesel for the generator' },
  { atS: 13, who: 'ravi', react: '👍', to: 'In this order' },
  { atS: 17, who: 'ravi', say: 'Truck leaves the EOC at 14:30 with blankets and diesel.' },
  {
    atS: 21,
    who: 'ida',
    say: 'From up here I see the bridge on 5th is closed. Take Main.',
    answering: 'Truck leaves',
  },
  { atS: 23, who: 'ida', sketch: 'I have drawn it.' },
  { atS: 25, who: 'ravi', react: '🙏', to: 'From up here' },
  { atS: 29, who: 'tom', say: 'Insulin: pharmacy on Main has some. I can walk there.' },
  { atS: 36, node: 'hilltop', power: 'off' },
  {
    atS: 38,
    who: 'lena',
    say: 'Demo: the node *hilltop* has just lost its power. Watch Ida: she moves to another node by herself.',
  },
  { atS: 52, who: 'ida', say: 'Hilltop is dark, I am on the EOC node now. Nothing is lost.' },
  { atS: 57, who: 'tom', react: '👍', to: 'Hilltop is dark' },
  { atS: 62, node: 'hilltop', power: 'on' },
  {
    atS: 66,
    who: 'tom',
    say: 'Demo: in a moment the radio of *eoc* fails. Lena and Ravi will be shown as left; they go on writing.',
  },
  { atS: 72, node: 'eoc', radio: 'off' },
  { atS: 84, who: 'maria', say: 'EOC, do you read? We have two more families.' },
  { atS: 88, who: 'lena', say: 'Shelter, we cannot hear you. The truck has left.' },
  { atS: 93, who: 'ravi', say: 'Driver is Sam, he has a radio.' },
  { atS: 106, node: 'eoc', radio: 'on' },
  {
    atS: 122,
    who: 'maria',
    say: 'There you are! Everything you wrote has just come in.',
    answering: 'Shelter, we cannot hear you',
  },
  { atS: 126, who: 'lena', react: '🎉', to: 'There you are' },
]

/** “Go to…”: which of many names somebody means who types a few letters of one. */
import { foldText } from '#runtime/fold-text.ts'

export interface Choice {
  readonly id: string
  readonly label: string
  /** Said beside it. */
  readonly hint: string
}

/** guess: more do not help to choose. */
const shownMax = 12

/** @returns those whose name has the letters in this order, the closest first; as they come while nothing is typed */
export function closest<One extends Choice>(typed: string, choices: readonly One[]): One[] {
  const letters = foldText(typed).replace(/\s+/g, '')
  if (letters === '') return choices.slice(0, shownMax)
  const found = choices.flatMap((choice) => {
    const distance = distanceOf(letters, foldText(choice.label))
    return distance === undefined ? [] : [{ choice, distance }]
  })
  // Sorting is stable: what was listed first stays first.
  found.sort((a, b) => a.distance - b.distance)
  return found.slice(0, shownMax).map(({ choice }) => choice)
}

/** Letters between those that are meant cost 1, a beginning within a word 3. @returns undefined when one is not there */
function distanceOf(letters: string, name: string): number | undefined {
  let best: number | undefined
  for (
    let start = name.indexOf(letters[0] ?? '');
    start >= 0;
    start = name.indexOf(letters[0] ?? '', start + 1)
  ) {
    let at = start
    for (const letter of letters) {
      at = name.indexOf(letter, at)
      if (at < 0) break
      at += 1
    }
    if (at < 0) break
    const isWordStart = start === 0 || !/[\p{L}\p{N}]/u.test(name[start - 1] ?? '')
    const distance = at - start - letters.length + (isWordStart ? 0 : 3)
    if (best === undefined || distance < best) best = distance
  }
  return best
}

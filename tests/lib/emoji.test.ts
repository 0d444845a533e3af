import { describe, expect, it } from 'vitest'
import { findEmoji, readEmoji } from '../../src/lib/emoji.ts'

const groups = readEmoji('😀 grinning face\n❤️ red heart\n\n🚒 fire engine\n🔥 fire\n🧑‍🚒 firefighter')

describe('emoji', () => {
  it('are found by the beginnings of the words of their names', () => {
    const found = (typed: string) => findEmoji(groups, typed).map(({ emoji }) => emoji)
    expect(found('fire')).toEqual(['🚒', '🔥', '🧑‍🚒'])
    expect(found('FIRE eng')).toEqual(['🚒'])
    expect(found('art')).toEqual([])
    expect(groups.map((group) => group.length)).toEqual([2, 3])
  })
})

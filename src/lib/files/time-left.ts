/** How long something still takes, in words that do not change each second. */
interface Words {
  readonly seconds: (n: number) => string
  readonly minutes: (n: number) => string
  readonly hours: (n: number) => string
}

/** @param seconds from now @returns rounded: to 5 s, to a minute, to an hour */
export function restOf(seconds: number, words: Words): string {
  if (seconds < 57.5) return words.seconds(Math.max(5, Math.ceil(seconds / 5) * 5))
  if (seconds < 5_400) return words.minutes(Math.max(1, Math.round(seconds / 60)))
  return words.hours(Math.round(seconds / 3_600))
}

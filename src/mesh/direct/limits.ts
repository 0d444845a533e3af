/** The bounds of direct messages, like those of `../limits.ts`: with where each number came from. */
export const directLimits = {
  /** guess: devices that one letter is sealed to, of both sides; with 16 each. */
  recipientsMax: 32,
  /** design (reliability §5.2): letters are padded to one of these, bytes. The largest leaves room for its head and 32 recipients (E4). */
  paddings: [256, 1_024, 4_096, 14_000],
  /** design (reliability §5.2): a prekey is sealed to for so long, the next one is published a day before. */
  prekeyValidMs: 7 * 86_400_000,
  prekeyEarlyMs: 86_400_000,
  /** design (reliability §5.2): the longest way of a letter by foot; its secret part is destroyed then. */
  prekeyKeptMs: 30 * 86_400_000,
  /** guess: a device never makes as many. */
  generationMax: 2 ** 40,
  /** guess: letters that wait to be tried; those beyond are tried after the next start. */
  openingMax: 65_536,
  /** guess: letters of this device that nobody has confirmed; more are refused. */
  unconfirmedMax: 4_096,
  /** guess: what has come is confirmed together, so many letters in one. */
  confirmDelayMs: 2_000,
  confirmedMax: 14,
  /** guess: devices whose prekeys are remembered, and letters that confirm others and wait to be sealed. */
  devicesMax: 8_192,
  confirmsMax: 1_024,
  /** guess: a letter is sealed so often without a wait, then after so long, each time twice as long, up to a prekey's life. */
  sealingsAtOnce: 3,
  resealMs: 3_600_000,
  /** guess: a device that finds itself outdone makes a later prekey at once, then after so long, each time twice as long. */
  outdoneMs: 60_000,
  prekeysMax: 16,
  /** guess: a letter that is to be answered to a prekey much later than any that is known is damaged. */
  generationAheadMax: 1_024,
  /** guess: letters that came again and were confirmed again in this life. */
  answeredMax: 4_096,
  /** browsers' timers (HTML, 32 bits) */
  sleepMsMax: 86_400_000,
  /** guess: what failed is tried again after this. */
  retryMs: 10_000,
} as const

/** Short tones, made here: nothing to fetch, and quiet until somebody has touched the page, as browsers want it. */
export type Sound = 'message' | 'mention'

/** Hz of each tone; a mention rises. */
const tones: Readonly<Record<Sound, readonly number[]>> = { message: [520], mention: [620, 830] }
const toneMs = 120
const loudness = 0.15
/** guess: news that comes together makes one sound. */
const pauseMs = 2_000

let context: AudioContext | undefined
let lastMs = Number.NEGATIVE_INFINITY

/** @param isTest somebody wants to hear it now */
export function play(sound: Sound, isTest = false): void {
  const now = performance.now()
  if (!isTest && now - lastMs < pauseMs) return
  lastMs = now
  context ??= new AudioContext()
  // Before the first touch it stays suspended, and what was to sound is not kept for later.
  if (context.state === 'suspended') void context.resume()
  if (context.state === 'suspended' && !isTest) return
  let at = context.currentTime
  for (const hertz of tones[sound]) {
    at = tone(context, hertz, at)
  }
}

/** @returns when it is over, s */
function tone(audio: AudioContext, hertz: number, from: number): number {
  const oscillator = audio.createOscillator()
  const gain = audio.createGain()
  const to = from + toneMs / 1_000
  oscillator.frequency.value = hertz
  // Without its own beginning and end it clicks.
  gain.gain.setValueAtTime(0, from)
  gain.gain.linearRampToValueAtTime(loudness, from + 0.01)
  gain.gain.linearRampToValueAtTime(0, to)
  oscillator.connect(gain).connect(audio.destination)
  oscillator.start(from)
  oscillator.stop(to)
  return to
}

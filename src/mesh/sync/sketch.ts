/**
 * Finding the difference of two sets of (name, state) from a few symbols, however large the sets are: a rateless
 * invertible Bloom lookup table. Rules R10–R11 in PROTOCOL.md.
 *
 * Source: Yang, Gilad, Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024, §4 (mapping), §5 (peeling).
 * Deviation: a symbol sums states, states × names and states × hashed names in the field of 2^31 − 1 instead of
 * XORing elements. Of a name whose state differs only one thing is left in the difference, not two, so a sketch
 * needs half as many symbols; and a state is 31 bits, so two that differ are not taken for equal.
 */
import { mix32 } from '../ids.ts'

/** Both from 1 to 2^31 − 2. */
export interface Element {
  readonly name: number
  readonly state: number
}

/** Each below 2^31 − 1. */
export interface SketchSymbol {
  readonly sum: number
  readonly product: number
  readonly check: number
}

/** A name whose state differs. */
export interface Differing {
  readonly name: number
  /** Their state; 0 when they do not have the name. */
  readonly theirs: number
}

interface Cell {
  sum: number
  product: number
  check: number
}

/** The Mersenne prime 2^31 − 1. */
export const fieldSize = 0x7fff_ffff

/** @returns 32 bits as a number that the field has, never 0. */
export function toField(bits: number): number {
  return ((bits >>> 0) % (fieldSize - 1)) + 1
}

function multiply(a: number, b: number): number {
  const high = (a * (b >>> 16)) % fieldSize
  return (high * 0x1_0000 + a * (b & 0xffff)) % fieldSize
}

function subtract(a: number, b: number): number {
  return (a - b + fieldSize) % fieldSize
}

/** By Fermat: a^(p − 2). */
function invert(a: number): number {
  let result = 1
  let power = a
  for (let exponent = fieldSize - 2; exponent > 0; exponent = Math.floor(exponent / 2)) {
    if (exponent % 2 === 1) result = multiply(result, power)
    power = multiply(power, power)
  }
  return result
}

/** §4.2: the symbols of a name: 0, then gaps that grow so that symbol i has it with probability 1 / (1 + i/2). */
function* indexes(name: number, below: number): Generator<number> {
  let random = mix32(name ^ 0x5bd1e995)
  let index = 0
  while (index < below) {
    yield index
    random = mix32(random + 0x9e3779b9)
    index += Math.max(1, Math.ceil((index + 1.5) * (0x1_0000 / Math.sqrt(random + 1) - 1)))
  }
}

function add(cells: readonly Cell[], name: number, state: number): void {
  const product = multiply(state, name)
  const check = multiply(state, toField(mix32(name)))
  for (const index of indexes(name, cells.length)) {
    const cell = cells[index]
    if (cell === undefined) return
    cell.sum = (cell.sum + state) % fieldSize
    cell.product = (cell.product + product) % fieldSize
    cell.check = (cell.check + check) % fieldSize
  }
}

/** @returns the first `count` symbols of the set. */
export function sketchOf(elements: Iterable<Element>, count: number): SketchSymbol[] {
  const cells = Array.from({ length: count }, () => ({ sum: 0, product: 0, check: 0 }))
  for (const { name, state } of elements) add(cells, name, state)
  return cells
}

/** @returns the names whose state differs, or undefined when it takes more symbols to tell. */
export function differenceOf(
  ours: readonly Element[],
  theirs: readonly SketchSymbol[],
): Differing[] | undefined {
  const cells = sketchOf(ours, theirs.length).map((cell, i) => ({
    sum: subtract(theirs[i]?.sum ?? 0, cell.sum),
    product: subtract(theirs[i]?.product ?? 0, cell.product),
    check: subtract(theirs[i]?.check ?? 0, cell.check),
  }))
  const deltas = peel(cells)
  if (deltas === undefined) return undefined
  const states = new Map(ours.map(({ name, state }) => [name, state]))
  return [...deltas].map(([name, delta]) => ({
    name,
    theirs: (delta + (states.get(name) ?? 0)) % fieldSize,
  }))
}

/** §5: takes out what stands alone until nothing is left. @returns what is to be added to our state, by name */
function peel(cells: readonly Cell[]): Map<number, number> | undefined {
  const found = new Map<number, number>()
  const open = cells.map((_, i) => i)
  let steps = 0
  for (let i = open.pop(); i !== undefined; i = open.pop()) {
    const cell = cells[i]
    if (cell === undefined || cell.sum === 0) continue
    const { sum } = cell
    const name = multiply(cell.product, invert(sum))
    if (name === 0 || multiply(sum, toField(mix32(name))) !== cell.check) continue
    // Symbols that were not made from a set could go on for ever.
    if (++steps > cells.length) return undefined
    found.set(name, ((found.get(name) ?? 0) + sum) % fieldSize)
    add(cells, name, fieldSize - sum)
    for (const index of indexes(name, cells.length)) open.push(index)
  }
  const isDone = cells.every((cell) => cell.sum === 0 && cell.product === 0 && cell.check === 0)
  return isDone ? found : undefined
}

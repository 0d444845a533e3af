/** Meshes to simulate: radio sites on a plane, as `gossip.md` §1.2 draws them. */
import type { Prng } from './prng.ts'
import type { Layout } from './world.ts'

/** Sites at random places, neighbours when near enough: mean degree about 5, connected. */
export function geometricLayout(random: Prng, sites: number, people: number, boxes: boolean): Layout {
  const radius = Math.sqrt(6 / (Math.PI * sites))
  for (;;) {
    const places = Array.from({ length: sites }, () => [random.unit(), random.unit()] as const)
    const near = places.map(([x, y], i) =>
      places.flatMap(([u, v], j) => (i !== j && Math.hypot(x - u, y - v) <= radius ? [j] : [])),
    )
    if (isConnected(near)) return { near, people: near.map(() => people), boxes }
  }
}

function isConnected(near: readonly (readonly number[])[]): boolean {
  const found = new Set([0])
  for (const site of found) for (const next of near[site] ?? []) found.add(next)
  return found.size === near.length
}

/** Looks for other helpers: on the LAN, and in the list of the AREDN node that this machine is plugged into. */
import { Aredn, type ArednHelper } from './aredn.ts'
import { DnsSd } from './dns-sd.ts'
import type { Guard } from '../guards.ts'
import type { Counters } from '../metrics.ts'
import type { Neighbors } from './neighbors.ts'
import type { Options } from '../options.ts'
import type { Self } from '../session.ts'

export interface Discovery {
  close(): Promise<void>
}

export interface DiscoveryParts {
  readonly options: Options
  readonly self: Self
  readonly port: number
  readonly guard: Guard
  readonly counters: Counters
  readonly neighbors: Neighbors
}

export function discover({ options, self, port, guard, counters, neighbors }: DiscoveryParts): Discovery {
  const dnsSd = new DnsSd({
    name: options.name,
    site: self.key.peer,
    port,
    base: options.base,
    host: options.host,
    found: ({ url, site }) => neighbors.offer(url, { site }),
    lost: (url) => neighbors.withdraw(url),
    failed: () => counters.refuse('dns-sd'),
  })
  let listed: readonly ArednHelper[] = []
  const aredn = new Aredn({
    guard,
    ...(options.sysinfoUrl === undefined ? {} : { url: options.sysinfoUrl }),
    found: (helpers) => {
      const own = new Set([self.url, ...options.neighbors])
      const others = helpers.filter(({ url }) => !own.has(url))
      for (const { url } of listed) if (!others.some((one) => one.url === url)) neighbors.withdraw(url)
      for (const { url, cost } of others) neighbors.offer(url, { cost })
      listed = others
    },
    failed: () => counters.refuse('sysinfo'),
  })
  return {
    close: async () => {
      aredn.close()
      await dnsSd.close()
    },
  }
}

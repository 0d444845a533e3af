import { describe, it } from 'vitest'
import { directStoreContract, self } from './direct-store-contract.ts'
import { MemoryDirectStore } from './memory-direct-store.ts'

describe('direct store contract: memory', () => {
  it.each(directStoreContract.map((one) => [one.name, one] as const))('%s', async (_title, one) => {
    await one.run(new MemoryDirectStore(self))
  })
})

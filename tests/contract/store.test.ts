import { describe, it } from 'vitest'
import { createMemoryStore } from '../../src/adapters/memory/memory-store.ts'
import { storeContract } from './store-contract.ts'

describe('store contract: memory', () => {
  it.each(storeContract.map((one) => [one.name, one] as const))('%s', async (_title, one) => {
    await one.run(createMemoryStore(new Uint8Array(16), () => 0))
  })
})

import { defineConfig } from 'vitest/config'

/** Everything that runs in Node alone: rules, vectors, contracts, simulation, helper, style. */
export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    environment: 'node',
    testTimeout: 60_000,
  },
})

import { defineConfig } from 'vitest/config'

/** Measurements, printed as a table. Nothing here asserts a time: machines are noisy. */
export default defineConfig({
  test: {
    include: ['tests/bench/*.bench.ts'],
    environment: 'node',
    testTimeout: 600_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
})

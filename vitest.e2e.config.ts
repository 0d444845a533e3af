import { defineConfig } from 'vitest/config'

/** Real browsers, real helpers, real network namespaces. One scene at a time. */
export default defineConfig({
  test: {
    include: ['tests/e2e/**/*.e2e.ts'],
    environment: 'node',
    testTimeout: 240_000,
    hookTimeout: 120_000,
    // A busy machine takes longer than the second that is usual.
    expect: { poll: { timeout: 10_000 } },
    fileParallelism: false,
    sequence: { concurrent: false },
  },
})

import { defineConfig } from 'vitest/config'
import { plant } from './tests/planted/plugin.mjs'

/** The rule tests over an engine with one bug planted in it: `PLANTED="its name"`. */
export default defineConfig({
  plugins: [plant(process.env['PLANTED'] ?? '')],
  test: { include: ['tests/mesh/**/*.test.ts'], environment: 'node', bail: 1, testTimeout: 20_000 },
})

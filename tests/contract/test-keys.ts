import { signPlainly, verifyPlainly } from '../../src/adapters/signature.ts'
import type { Keys } from '../../src/runtime/ports.ts'
import { keyOf } from '../mesh/make.ts'

/** Real keys, always the same for one seed. */
export function testKeys(seed: number): Keys {
  const key = keyOf(seed)
  return {
    self: key.peer,
    sign: (message) => Promise.resolve(signPlainly(key, message)),
    verify: (claim) => Promise.resolve(verifyPlainly(claim)),
  }
}

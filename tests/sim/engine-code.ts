/** An engine as one module, for worlds whose peers do not all run the same version. */
export { completeFrame } from '../../src/mesh/gossip/complete.ts'
export { handle } from '../../src/mesh/engine.ts'
export { decodeFrame, encodeFrame } from '../../src/mesh/frame.ts'
export { createEngine } from '../../src/mesh/state.ts'

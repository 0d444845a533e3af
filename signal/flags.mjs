/**
 * How the runtime is started, everywhere: a young generation of 4 MB. With V8's 16 a node with 3,000 idle browsers takes
 * 54 MB more than it needs (tests/bench/RESULTS.md).
 */
export const nodeFlags = ['--max-semi-space-size=4']

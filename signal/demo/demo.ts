/**
 * Composition root of `npm run demo`: three nodes and five scripted people on this machine, with real engines on real
 * links. Everything listens on loopback only and ends with this process.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { nodeFlags } from '../flags.mjs'
import { DemoPerson } from './demo-person.ts'
import { cast, nodeNames, roundS, steps, type NodeName, type Role, type Step } from './script.ts'

const nodes = new Map<NodeName, { readonly url: string; child: ChildProcess }>()
const people = new Map<Role, DemoPerson>()

async function startNode(name: NodeName, port: string, neighbors: readonly string[]): Promise<void> {
  const base = ['--memory', '--host', '127.0.0.1', '--port', port, '--stun-port', '0', '--no-discovery']
  const args = [...base, '--name', name, ...neighbors.flatMap((url) => ['--neighbor', url])]
  const file = join(import.meta.dirname, 'signal.mjs')
  const child = spawn(process.execPath, [...nodeFlags, file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, MESHCHAT_LOG: 'error' },
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      const found = / ready at ([^,\s]+)/.exec(chunk.toString())?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`node ${name} ended with ${code}`)))
  })
  nodes.set(name, { url, child })
}

function urlOf(name: NodeName): string {
  return nodes.get(name)?.url ?? ''
}

/** In a row, as hills stand: shelter – eoc – hilltop. */
function neighborsOf(name: NodeName): string[] {
  const at = nodeNames.indexOf(name)
  return nodeNames.filter((_, i) => Math.abs(i - at) === 1).map(urlOf)
}

async function perform(step: Step): Promise<void> {
  if ('who' in step) {
    const person = people.get(step.who)
    if ('say' in step) person?.say(step.say, step.answering)
    else if ('sketch' in step) await person?.shareSketch(step.sketch)
    else person?.react(step.to, step.react)
    return
  }
  const node = nodes.get(step.node)
  if (node === undefined) return
  if ('radio' in step) {
    node.child.kill(step.radio === 'off' ? 'SIGSTOP' : 'SIGCONT')
  } else if (step.power === 'off') node.child.kill('SIGKILL')
  else {
    await startNode(step.node, new URL(node.url).port, neighborsOf(step.node))
    for (const [role, person] of people) if (cast[role].at === step.node) person.goHome()
  }
}

function end(): void {
  for (const person of people.values()) person.leave()
  for (const { child } of nodes.values()) {
    child.removeAllListeners('exit')
    // A stopped process hears nothing else.
    child.kill('SIGKILL')
  }
  process.exit(0)
}

function wait(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
await startNode('shelter', process.env['MESHCHAT_PORT'] ?? '0', [])
await startNode('eoc', '0', [urlOf('shelter')])
await startNode('hilltop', '0', [urlOf('eoc')])
for (const [role, { name, at }] of Object.entries(cast) as [Role, (typeof cast)[Role]][]) {
  const others = nodeNames.filter((one) => one !== at)
  // Whoever is at the EOC stays there while its radio is off.
  const urls = at === 'eoc' ? [urlOf(at)] : [at, ...others.reverse()].map((one) => urlOf(one))
  people.set(role, await DemoPerson.arrive(name, urls))
}
console.log(`meshchat demo ready at ${urlOf('shelter')}`)
console.log('Open it, type a name, and watch for two minutes. Ctrl+C ends it.')
// Until they have found each other.
await new Promise((resolve) => setTimeout(resolve, 8_000))
for (;;) {
  let atS = 0
  for (const step of steps) {
    await wait((step.atS - atS) * 1_000)
    atS = step.atS
    await perform(step)
  }
  await wait((roundS - atS) * 1_000)
}

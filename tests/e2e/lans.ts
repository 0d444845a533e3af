/**
 * The standard scene: two mesh nodes, each with a LAN of its own, a routed link between them, no multicast across.
 * All in network namespaces with names of this process; `remove` takes every one of them away.
 *
 *   hosts a1 a2 … ── LAN 10.77.1.0/24 ── node a ── 10.77.0.0/24 ── node b ── LAN 10.77.2.0/24 ── hosts b1 …
 */
import { execFileSync } from 'node:child_process'

function run(command: string): void {
  const [program = '', ...args] = command.split(' ')
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** @returns why this machine cannot make namespaces, or undefined when it can. */
export function namespacesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for network namespaces'
  try {
    run(`ip netns add mc-probe-${process.pid}`)
    run(`ip netns del mc-probe-${process.pid}`)
    return undefined
  } catch {
    return 'this machine cannot make network namespaces'
  }
}

let scenes = 0

export type Side = 'a' | 'b'

export class Lans {
  private readonly prefix = `mc${process.pid.toString(36)}${(scenes++).toString(36)}`
  private readonly made: string[] = []
  private readonly hosts = { a: 0, b: 0 }

  constructor() {
    this.namespace('na')
    this.namespace('nb')
    this.cable(this.node('a'), 'core', '10.77.0.1/24', this.node('b'), 'core', '10.77.0.2/24')
    for (const [side, net, other, via] of [
      ['a', 1, 2, '10.77.0.2'],
      ['b', 2, 1, '10.77.0.1'],
    ] as const) {
      const node = this.node(side)
      run(`ip -n ${node} link add lan type bridge`)
      run(`ip -n ${node} addr add 10.77.${net}.1/24 dev lan`)
      run(`ip -n ${node} link set lan up`)
      run(`ip -n ${node} route add 10.77.${other}.0/24 via ${via}`)
      run(`ip netns exec ${node} sysctl -qw net.ipv4.ip_forward=1`)
    }
  }

  node(side: Side): string {
    return `${this.prefix}n${side}`
  }

  /** The node's address on its LAN. */
  address(side: Side): string {
    return `10.77.${side === 'a' ? 1 : 2}.1`
  }

  /** The node's address towards the other node. */
  coreAddress(side: Side): string {
    return `10.77.0.${side === 'a' ? 1 : 2}`
  }

  /** A new host on a LAN. @returns its namespace */
  host(side: Side): string {
    const number = ++this.hosts[side]
    const namespace = this.namespace(`${side}${number}`)
    const port = `p${number}`
    const net = side === 'a' ? 1 : 2
    this.cable(namespace, 'eth0', `10.77.${net}.${10 + number}/24`, this.node(side), port, undefined)
    run(`ip -n ${this.node(side)} link set ${port} master lan`)
    run(`ip -n ${namespace} route add default via ${this.address(side)}`)
    return namespace
  }

  hostAddress(side: Side, number: number): string {
    return `10.77.${side === 'a' ? 1 : 2}.${10 + number}`
  }

  /** Nothing passes between two hosts until `unblock`. */
  block(one: string, other: string): void {
    run(`ip netns exec ${this.node('a')} iptables -I FORWARD -s ${one} -d ${other} -j DROP`)
    run(`ip netns exec ${this.node('a')} iptables -I FORWARD -s ${other} -d ${one} -j DROP`)
  }

  unblock(): void {
    run(`ip netns exec ${this.node('a')} iptables -F FORWARD`)
  }

  private namespace(name: string): string {
    const full = `${this.prefix}${name}`
    run(`ip netns add ${full}`)
    this.made.push(full)
    run(`ip -n ${full} link set lo up`)
    return full
  }

  private cable(
    a: string,
    portA: string,
    addressA: string,
    b: string,
    portB: string,
    addressB: string | undefined,
  ): void {
    run(`ip link add name ${portA} netns ${a} type veth peer name ${portB} netns ${b}`)
    run(`ip -n ${a} addr add ${addressA} dev ${portA}`)
    if (addressB !== undefined) run(`ip -n ${b} addr add ${addressB} dev ${portB}`)
    run(`ip -n ${a} link set ${portA} up`)
    run(`ip -n ${b} link set ${portB} up`)
  }

  remove(): void {
    for (const namespace of this.made.reverse()) run(`ip netns del ${namespace}`)
    this.made.length = 0
  }
}

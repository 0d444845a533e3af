/**
 * The standard scene: mesh nodes in a row, each with a LAN of its own, a routed link between neighbours, no multicast
 * across. All in network namespaces with names of this process; `remove` takes every one of them away.
 *
 *   hosts a1 a2 … ── LAN 10.77.1.0/24 ── node a ── 10.77.101.0/24 ── node b ── LAN 10.77.2.0/24 ── hosts b1 …
 */
import { execFileSync } from 'node:child_process'

function run(command: string): string {
  const [program = '', ...args] = command.split(' ')
  return execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString()
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

export class Lans {
  private readonly prefix = `mc${process.pid.toString(36)}${(scenes++).toString(36)}`
  private readonly made: string[] = []
  private readonly hosts = new Map<string, number>()
  private readonly sides: readonly string[]

  /** @param sides one letter per node, in their order along the row */
  constructor(sides: readonly string[] = ['a', 'b']) {
    this.sides = sides
    for (const side of sides) this.namespace(`n${side}`)
    sides.forEach((side, i) => {
      const node = this.node(side)
      const next = sides[i + 1]
      const net = `10.77.${101 + i}`
      if (next !== undefined) this.cable(node, 'right', `${net}.1/24`, this.node(next), 'left', `${net}.2/24`)
      run(`ip -n ${node} link add lan type bridge`)
      run(`ip -n ${node} addr add ${this.address(side)}/24 dev lan`)
      run(`ip -n ${node} link set lan up`)
      run(`ip netns exec ${node} sysctl -qw net.ipv4.ip_forward=1`)
    })
    sides.forEach((side, from) => {
      sides.forEach((_, to) => {
        if (from === to) return
        const via = from < to ? `10.77.${101 + from}.2` : `10.77.${100 + from}.1`
        run(`ip -n ${this.node(side)} route add 10.77.${to + 1}.0/24 via ${via}`)
        // A mesh's routing tells of the links between nodes too.
        const beyond = from < to ? to - 1 : to
        const isNear = beyond === from || beyond === from - 1
        if (!isNear) run(`ip -n ${this.node(side)} route replace 10.77.${101 + beyond}.0/24 via ${via}`)
      })
    })
  }

  node(side: string): string {
    return `${this.prefix}n${side}`
  }

  /** The node's address on its LAN, which the others reach too. */
  address(side: string): string {
    return `10.77.${this.sides.indexOf(side) + 1}.1`
  }

  /** The nodes beside this one in the row. */
  neighbors(side: string): string[] {
    const at = this.sides.indexOf(side)
    return this.sides.filter((_, i) => Math.abs(i - at) === 1)
  }

  /** A new host on a LAN. @returns its namespace */
  host(side: string): string {
    const number = (this.hosts.get(side) ?? 0) + 1
    this.hosts.set(side, number)
    const namespace = this.namespace(`${side}${number}`)
    const port = `p${number}`
    this.cable(namespace, 'eth0', `${this.hostAddress(side, number)}/24`, this.node(side), port, undefined)
    run(`ip -n ${this.node(side)} link set ${port} master lan`)
    run(`ip -n ${namespace} route add default via ${this.address(side)}`)
    return namespace
  }

  hostAddress(side: string, number: number): string {
    return `10.77.${this.sides.indexOf(side) + 1}.${10 + number}`
  }

  /** Nothing passes between two hosts until `unblock`. */
  block(one: string, other: string): void {
    run(`ip netns exec ${this.node('a')} iptables -I FORWARD -s ${one} -d ${other} -j DROP`)
    run(`ip netns exec ${this.node('a')} iptables -I FORWARD -s ${other} -d ${one} -j DROP`)
  }

  /** @returns what a page at the node of a LAN answers */
  fetch(side: string, url: string): string {
    const script = `fetch('${url}').then(async (r) => process.stdout.write(await r.text()))`
    const args = ['netns', 'exec', this.node(side), process.execPath, '-e', script]
    return execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString()
  }

  /** The same, or why there is no answer. */
  tryFetch(side: string, url: string): string {
    try {
      return this.fetch(side, url)
    } catch (error) {
      return String(error)
    }
  }

  /** Nobody there says anything by UDP: neither WebRTC nor DNS-SD. */
  blockUdp(namespace: string): void {
    run(`ip netns exec ${namespace} iptables -A OUTPUT -p udp -j DROP`)
  }

  unblock(): void {
    run(`ip netns exec ${this.node('a')} iptables -F FORWARD`)
  }

  /** That part of all UDP packets is lost on the way through the first node, each direction; 0: none. */
  setLoss(share: number): void {
    run(`ip netns exec ${this.node('a')} iptables -F FORWARD`)
    if (share === 0) return
    run(
      `ip netns exec ${this.node('a')} iptables -I FORWARD -p udp -m statistic --mode random --probability ${share} -j DROP`,
    )
  }

  /** Each direction of the link between the first two nodes carries so much, with a queue of 300 ms. */
  setRate(kbps: number): void {
    // A bucket that is filled less often than it is emptied is slower than it says.
    const rate = `rate ${kbps}kbit burst ${Math.max(4, Math.ceil(kbps / 800))}kb latency 300ms`
    run(`tc -n ${this.node('a')} qdisc replace dev right root tbf ${rate}`)
    run(`tc -n ${this.node('b')} qdisc replace dev left root tbf ${rate}`)
  }

  /** What a node sends to its n-th host is carried at this rate, with a queue of 300 ms. */
  setHostRate(side: string, number: number, kbps: number): void {
    const rate = `rate ${kbps}kbit burst 4kb latency 300ms`
    run(`tc -n ${this.node(side)} qdisc replace dev p${number} root tbf ${rate}`)
  }

  /** The cable between a node and its n-th host is out, or in again. */
  setHostLink(side: string, number: number, isUp: boolean): void {
    run(`ip -n ${this.node(side)} link set p${number} ${isUp ? 'up' : 'down'}`)
  }

  /** Nothing passes between a node and the next one in the row: the radio link is down, or up again. */
  setLink(side: string, isUp: boolean): void {
    for (const rule of ['OUTPUT -o right', 'INPUT -i right', 'FORWARD -o right', 'FORWARD -i right'])
      run(`ip netns exec ${this.node(side)} iptables ${isUp ? '-D' : '-I'} ${rule} -j DROP`)
  }

  /** The node routes nothing until it is switched on again. */
  setRouting(side: string, isOn: boolean): void {
    run(`ip netns exec ${this.node(side)} iptables -P FORWARD ${isOn ? 'ACCEPT' : 'DROP'}`)
  }

  /** Bytes that have left a node towards its neighbour on that side of the row, whole frames of Ethernet. */
  sentBytes(side: string, towards: 'left' | 'right'): number {
    return Number(run(`ip netns exec ${this.node(side)} cat /sys/class/net/${towards}/statistics/tx_bytes`))
  }

  /** From now on UDP between browsers that passes through the first node is counted. */
  countForwarded(): void {
    run(`ip netns exec ${this.node('a')} iptables -I FORWARD -p udp`)
  }

  /** Bytes of IP packets since then, both directions together. */
  forwardedBytes(): number {
    const rule = run(`ip netns exec ${this.node('a')} iptables -nvxL FORWARD 1`)
    return Number(rule.trim().split(/\s+/)[1])
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

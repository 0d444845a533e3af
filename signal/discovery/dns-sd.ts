/** Other helpers on the same LAN, by DNS-SD over multicast (RFC 6762, RFC 6763): `_meshchat._tcp`. */
import { networkInterfaces } from 'node:os'
import { Bonjour, type Service } from 'bonjour-service'
import { parsePeerId, type PeerId } from '#mesh/ids.ts'
import { isHelperUrl } from '#runtime/signal-frame.ts'

const serviceType = 'meshchat'
/** guess: how often new interfaces are looked for. */
const lookMs = 30_000

export interface FoundHelper {
  readonly url: string
  readonly site: PeerId | undefined
}

export interface DnsSdParts {
  readonly name: string
  readonly site: PeerId
  readonly port: number
  readonly base: string
  /** Where the helper listens; another address than this is not told. */
  readonly host: string
  readonly found: (helper: FoundHelper) => void
  readonly lost: (url: string) => void
  /** A socket that cannot be had: others find this helper by other ways. */
  readonly failed: () => void
}

export class DnsSd {
  private readonly parts: DnsSdParts
  /** By the address of the interface that it speaks on. */
  private readonly speakers = new Map<string, Bonjour>()
  private readonly timer: NodeJS.Timeout

  constructor(parts: DnsSdParts) {
    this.parts = parts
    this.look()
    this.timer = setInterval(() => this.look(), lookMs)
  }

  private look(): void {
    const { host } = this.parts
    const isOpen = host === '0.0.0.0' || host === '::'
    const addresses = new Set(
      Object.values(networkInterfaces())
        .flatMap((list) => list ?? [])
        .filter(({ family, internal }) => family === 'IPv4' && !internal)
        .map(({ address }) => address)
        .filter((address) => isOpen || address === host),
    )
    for (const [address, speaker] of this.speakers) {
      if (addresses.has(address)) continue
      speaker.destroy()
      this.speakers.delete(address)
    }
    for (const address of addresses) if (!this.speakers.has(address)) this.speak(address)
  }

  private speak(address: string): void {
    const { name, site, port, base, failed } = this.parts
    // Bound to every address: what is sent to a group does not arrive at a socket of one.
    const options: object = { interface: address, bind: '0.0.0.0' }
    const speaker = new Bonjour(options, failed)
    // It emits both without a listener of its own, and an error that nobody hears ends the process.
    const { mdns } = speaker['server'] as unknown as { readonly mdns: NodeJS.EventEmitter }
    mdns.on('error', failed)
    mdns.on('warning', failed)
    this.speakers.set(address, speaker)
    const txt = { v: '1', site, base }
    speaker.publish({
      name: `${name} ${site.slice(0, 6)}`,
      type: serviceType,
      port,
      txt,
      disableIPv6: true,
      probe: false,
    })
    const browser = speaker.find({ type: serviceType })
    browser.on('up', (service) => this.heard(service, (helper) => this.parts.found(helper)))
    browser.on('down', (service) => this.heard(service, ({ url }) => this.parts.lost(url)))
  }

  /** The address is the one that the answer came from, not one that it names. */
  private heard(service: Service, tell: (helper: FoundHelper) => void): void {
    const txt = (service.txt ?? {}) as Record<string, unknown>
    const { referer } = service
    const site = parsePeerId(txt['site'])
    if (referer === undefined || site === this.parts.site) return
    const base = typeof txt['base'] === 'string' ? txt['base'] : '/'
    const url = `http://${referer.address}:${service.port}${base}`
    if (isHelperUrl(url)) tell({ url, site })
  }

  /** Says that this helper goes, and ends. */
  async close(): Promise<void> {
    clearInterval(this.timer)
    await Promise.all(
      [...this.speakers.values()].map(
        (speaker) =>
          new Promise<void>((resolve) => {
            const end = () => speaker.destroy(() => resolve())
            speaker.unpublishAll(end)
          }),
      ),
    )
  }
}

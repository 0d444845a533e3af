/** All links of a page: to residents by WebSocket, to everybody else by WebRTC. */
import type SimplePeer from 'simple-peer'
import type { PeerId } from '#mesh/ids.ts'
import type { Keys } from '#runtime/ports.ts'
import { JoinedLinks } from '../joined-links.ts'
import { PackedLinks } from '../packed-links.ts'
import { WsLinks } from '../ws-links.ts'
import { PackedRtcLinks, RtcLinks, type Vantage } from './rtc-links.ts'
import { openWebSocket } from './ws-socket.ts'

export class BrowserLinks extends JoinedLinks<PackedRtcLinks, PackedLinks<WsLinks>> {
  /** @param linkUrl where a resident can be dialled; undefined for everybody else */
  constructor(
    keys: Keys,
    load: () => Promise<typeof SimplePeer>,
    linkUrl: (peer: PeerId) => string | undefined,
  ) {
    const open = (peer: PeerId) => {
      const url = linkUrl(peer)
      return url === undefined ? undefined : openWebSocket(url)
    }
    super(
      new PackedRtcLinks(new RtcLinks(keys, load)),
      new PackedLinks(new WsLinks(keys, open)),
      (peer) => linkUrl(peer) !== undefined,
    )
  }

  setVantage(vantage: Vantage): void {
    this.first.setVantage(vantage)
  }
}

/** The browser's WebSocket as a `FrameSocket`. */
import type { FrameSocket } from '../ws-links.ts'

export function openWebSocket(url: string): FrameSocket {
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  const frames: FrameSocket = {
    send: (bytes) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes.slice())
    },
    bufferedBytes: () => socket.bufferedAmount,
    close: () => socket.close(),
    onOpen: () => undefined,
    onMessage: () => undefined,
    onClose: () => undefined,
  }
  socket.onopen = () => frames.onOpen()
  socket.onclose = () => frames.onClose()
  socket.onmessage = (event: MessageEvent<unknown>) => {
    if (event.data instanceof ArrayBuffer) frames.onMessage(new Uint8Array(event.data))
    else socket.close()
  }
  return frames
}

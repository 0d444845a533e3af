/** A socket of `ws` as a `FrameSocket`: dialled or accepted. */
import type { RawData, WebSocket } from 'ws'
import type { FrameSocket } from '../ws-links.ts'

export function wrapWebSocket(socket: WebSocket): FrameSocket {
  const frames: FrameSocket = {
    send: (bytes) => {
      if (socket.readyState === socket.OPEN) socket.send(bytes)
    },
    bufferedBytes: () => socket.bufferedAmount,
    close: () => socket.close(),
    onOpen: () => undefined,
    onMessage: () => undefined,
    onClose: () => undefined,
  }
  socket.on('open', () => frames.onOpen())
  socket.on('close', () => frames.onClose())
  // `ws` closes by itself after an error, and says so.
  socket.on('error', () => socket.terminate())
  socket.on('message', (data: RawData, isBinary: boolean) => {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer)
    if (isBinary) frames.onMessage(new Uint8Array(bytes))
    else socket.close()
  })
  return frames
}

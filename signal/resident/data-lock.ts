/**
 * One node per data folder: two that write into one journal would spoil it. A socket is the lock, since it is gone with
 * its process, however that ends; a file with a process number in it is neither after a power cut nor in a container.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, realpathSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `sockaddr_un` holds 108 bytes, on some systems 104 (unix(7)). */
const pathBytesMax = 100

export class DataInUse extends Error {}

/**
 * @returns what lets go of the folder
 * @throws DataInUse
 */
export async function lockData(dataDir: string): Promise<() => void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const folder = realpathSync(dataDir)
  const inside = join(folder, 'lock')
  const isPossible = process.platform !== 'win32' && Buffer.byteLength(inside) <= pathBytesMax
  const near = isPossible ? await lock(inside) : 'impossible'
  const locked = near === 'impossible' ? await lock(elsewhere(folder)) : near
  if (typeof locked === 'string') throw new DataInUse(dataDir)
  return () => locked.close()
}

/** Sockets cannot stand everywhere: not on a stick with FAT, not under a long path. */
type Locked = Server | 'taken' | 'impossible'

async function lock(path: string): Promise<Locked> {
  const first = await listen(path)
  if (first !== 'taken') return first
  if (await answers(path)) return 'taken'
  // Whoever made it is gone.
  rmSync(path, { force: true })
  return listen(path)
}

function elsewhere(folder: string): string {
  const name = `meshchat-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), name)
}

function listen(path: string): Promise<Locked> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error) => {
      resolve('code' in error && error.code === 'EADDRINUSE' ? 'taken' : 'impossible')
    })
    server.listen(path, () => {
      server.unref()
      resolve(server)
    })
  })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

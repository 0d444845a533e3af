/**
 * One node per data folder: two that write into one journal would spoil it. The lock is a name that the system takes back
 * with its process, however that ends (an abstract socket on Linux, unix(7); a pipe on Windows); a file with a process
 * number in it is neither after a power cut nor in a container. Elsewhere it is a socket in the folder, which the next
 * node clears away when nobody answers behind it. Two containers that share a folder but no network are not seen.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class DataInUse extends Error {}

/**
 * @returns what lets go of the folder
 * @throws DataInUse
 */
export async function lockData(dataDir: string): Promise<() => void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const { dev, ino } = statSync(dataDir)
  const name = `meshchat-${createHash('sha256').update(`${dev} ${ino}`).digest('hex').slice(0, 32)}`
  const server = await take(name)
  if (server === undefined) throw new DataInUse(dataDir)
  return () => server.close()
}

function take(name: string): Promise<Server | undefined> {
  if (process.platform === 'linux') return listen(`\0${name}`)
  return process.platform === 'win32' ? listen(`\\\\.\\pipe\\${name}`) : takeFile(join(tmpdir(), name))
}

async function takeFile(path: string): Promise<Server | undefined> {
  const first = await listen(path)
  if (first !== undefined || (await answers(path))) return first
  // Whoever made it is gone.
  rmSync(path, { force: true })
  return listen(path)
}

/** @returns undefined when the name is taken */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error) => {
      if ('code' in error && error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
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
    // Refused, or not there: whatever else is wrong, somebody may live behind it.
    socket.once('error', (error) =>
      resolve(!('code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOENT'))),
    )
  })
}

/** `npm start`: sets up what is missing, then runs a node with the given options. */
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { ensureBuild, ensurePackages, root } from './setup.mjs'

ensurePackages()
ensureBuild()
await import(pathToFileURL(join(root, 'signal/dist/signal.mjs')).href)

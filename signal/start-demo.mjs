/** `npm run demo`: sets up what is missing, then three nodes and some scripted people on this machine. */
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { ensureBuild, ensurePackages, root } from './setup.mjs'

ensurePackages()
ensureBuild()
await import(pathToFileURL(join(root, 'signal/dist/demo.mjs')).href)

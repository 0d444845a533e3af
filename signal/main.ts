/** Composition root of the helper: command line → serve, or one of the commands beside it; SIGTERM → close. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openHelperKey } from './helper-key.ts'
import { createLog, logLevels } from './log.ts'
import { BadOption, helpText, parseOptions, type Options } from './options.ts'
import { version } from './context.ts'
import { DataInUse, lockData } from './resident/data-lock.ts'
import { guardFor, serve, type Helper } from './server.ts'
import { TlsFault } from './tls/certificates.ts'

function fail(code: 1 | 2, sentence: string): never {
  console.error(sentence)
  process.exit(code)
}

const log = createLog({
  level: logLevels.find((level) => level === process.env['MESHCHAT_LOG']) ?? 'info',
  write: (line) => console.error(line),
  wallMs: () => Date.now(),
})

function readOptions(args: readonly string[]): Options {
  try {
    const options = parseOptions(args, process.env)
    if (options !== undefined) return options
  } catch (error) {
    if (error instanceof BadOption) fail(2, error.message)
    throw error
  }
  process.stdout.write(helpText)
  process.exit(0)
}

async function start(options: Options): Promise<Helper> {
  const appDir = process.env['MESHCHAT_APP'] ?? join(import.meta.dirname, '..', '..', 'build')
  if (!existsSync(join(appDir, 'index.html'))) fail(1, `The app is not built: ${appDir} has no index.html.`)
  try {
    if (options.dataDir !== undefined) await lockData(options.dataDir)
    return await serve(options, openHelperKey(options.dataDir, log), appDir, log)
  } catch (error) {
    if (error instanceof DataInUse)
      fail(1, `Another node is running on ${error.message}; give this one a folder of its own with --data.`)
    if (error instanceof TlsFault) fail(1, error.message)
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE') {
      const { port, stunPort, tlsPort, tls } = options
      const ports = `${port}${tls === undefined ? '' : `, ${tlsPort}`} (TCP) or ${stunPort} (UDP)`
      fail(1, `Port ${ports} is taken; choose others with --port, --tls-port and --stun-port.`)
    }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      fail(1, `--host ${options.host} is no address of this machine.`)
    if (code === 'EACCES') fail(1, 'This port or directory needs rights that this user does not have.')
    throw error
  }
}

async function runCa(args: readonly string[]): Promise<void> {
  try {
    const { runAuthority } = await import('./tls/authority-command.ts')
    process.stdout.write(await runAuthority(args, process.env, Date.now()))
  } catch (error) {
    if (error instanceof BadOption) fail(2, error.message)
    throw error
  }
}

async function runDoctor(args: readonly string[]): Promise<void> {
  const options = readOptions(args)
  const { examine } = await import('./doctor/doctor.ts')
  const findings = await examine(options, guardFor(options), Date.now())
  const marks = { fine: 'ok  ', note: '-   ', bad: 'BAD ' } as const
  for (const { verdict, sentence } of findings) console.log(`${marks[verdict]} ${sentence}`)
  const count = findings.filter(({ verdict }) => verdict === 'bad').length
  console.log(
    count === 0 ? 'Nothing is wrong.' : `${count} ${count === 1 ? 'thing is' : 'things are'} wrong.`,
  )
  process.exitCode = count === 0 ? 0 : 1
}

async function runNode(args: readonly string[]): Promise<void> {
  const options = readOptions(args)
  const helper = await start(options)
  console.log(`meshchat ${options.name} ready at ${helper.urls.join(', ')}`)
  log.info('ready', { name: options.name, version, node: process.version })
  if (options.name.endsWith('.local.mesh')) {
    console.error('On amateur radio only clear text is allowed; a profile for that is not built yet.')
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info('ending', { signal })
      void helper.close().then(() => process.exit(0))
    })
  }
}

const [verb, ...rest] = process.argv.slice(2)
if (verb === 'ca') await runCa(rest)
else if (verb === 'doctor') await runDoctor(rest)
else await runNode(process.argv.slice(2))

/**
 * `npm test`: sets up everything (packages as locked, Debian packages, the build), runs every suite, and closes with
 * one line `N passed, N failed, N skipped`. Without root or Debian it says what to install and skips those scenes.
 *
 *   npm test                 everything, with 1,000 seeds of the simulator that this commit has not passed before
 *   npm run test:long        with 20,000
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { ensureBuild, ensurePackages, root } from '../signal/setup.mjs'

const seeds = process.argv[process.argv.indexOf('--seeds') + 1 || process.argv.length] ?? '1000'
const debianPackages = [
  'chromium',
  'firefox-esr',
  'libnss3-tools',
  'iproute2',
  'iptables',
  'fonts-dejavu-core',
  'procps',
]
const counts = { passed: 0, failed: 0, skipped: 0 }

function isDebian() {
  return existsSync('/etc/debian_version')
}

/** @param {string} name */
function isInstalled(name) {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f=${Status}', name], { encoding: 'utf8' })
  return status === 0 && stdout.includes('install ok installed')
}

/** @returns {boolean} whether the scenes in browsers can run */
function ensureDebianPackages() {
  const missing = isDebian() ? debianPackages.filter((name) => !isInstalled(name)) : debianPackages
  if (missing.length === 0) return true
  const line = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (!isDebian() || process.getuid?.() !== 0) {
    console.log(`For the scenes in real browsers, install as root: ${line}`)
    return existsSync(process.env['CHROMIUM'] ?? '/usr/bin/chromium')
  }
  console.log(`Installing ${missing.join(', ')} …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  /** @type {import('node:child_process').SpawnSyncOptions} */
  const quiet = { env, stdio: ['ignore', 'ignore', 'inherit'] }
  spawnSync('apt-get', ['update', '-qq'], quiet)
  const { status } = spawnSync('sh', ['-c', `${line} -qq`], quiet)
  if (status === 0) return true
  console.log(`Could not install them. By hand: ${line}`)
  return false
}

/**
 * Runs one step; its last `N passed, N failed, N skipped` is added, or the step counts as one.
 * @param {string} title
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
async function step(title, command, args, env = {}) {
  console.log(`\n── ${title}`)
  const startedMs = Date.now()
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  let tail = ''
  child.stdout.on('data', (/** @type {Buffer} */ chunk) => {
    process.stdout.write(chunk)
    tail = (tail + chunk.toString()).slice(-4_000)
  })
  const status = await new Promise((resolve) => child.once('exit', resolve))
  const found = /(?:vitest|sim|planted): (\d+) passed, (\d+) failed, (\d+) skipped/.exec(tail)
  const [passed, failed, skipped] = found !== null ? found.slice(1).map(Number) : [status === 0 ? 1 : 0, 0, 0]
  counts.passed += passed ?? 0
  counts.failed += (failed ?? 0) + (status !== 0 && (failed ?? 0) === 0 ? 1 : 0)
  counts.skipped += skipped ?? 0
  console.log(
    `── ${title}: ${status === 0 ? 'fine' : 'FAILED'} in ${Math.round((Date.now() - startedMs) / 1_000)} s`,
  )
}

/** @param {string} config @param {string[]} more */
function vitest(config, ...more) {
  return ['node_modules/vitest/vitest.mjs', 'run', '--config', config, ...reporters, ...more]
}
const reporters = ['--reporter=default', '--reporter=./tests/plain-reporter.ts']

/** How many scenes are left out when there is no browser. */
function countScenes() {
  const files = spawnSync('ls', ['tests/e2e'], { cwd: root, encoding: 'utf8' }).stdout.split('\n')
  return files
    .filter((file) => file.endsWith('.e2e.ts'))
    .reduce(
      (sum, file) =>
        sum + (readFileSync(`${root}tests/e2e/${file}`, 'utf8').match(/^\s+it[.(]/gm)?.length ?? 0),
      0,
    )
}

ensurePackages()
const hasBrowser = ensureDebianPackages()
ensureBuild()

const bin = 'node_modules/.bin/'
await step('format', `${bin}prettier`, ['--check', '--log-level=warn', '.'])
await step('types', 'npm', ['run', '--silent', 'check'])
await step('lint', `${bin}eslint`, ['.'])
await step('unused code', `${bin}knip`, ['--no-config-hints'])
await step('sizes', `${bin}size-limit`, [])
await step('rules, contracts, helper', process.execPath, vitest('vitest.config.ts'))
await step('planted bugs', process.execPath, ['tests/planted/run.mjs'])
await step('simulation', process.execPath, ['tests/sim/run.mjs', '--seeds', seeds])
if (hasBrowser) await step('real browsers', process.execPath, vitest('vitest.e2e.config.ts'))
else {
  counts.skipped += countScenes()
  console.log('\n── real browsers: skipped, there is none')
}

console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed === 0 ? 0 : 1

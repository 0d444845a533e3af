/** What Lighthouse says of the app at a node: its mobile profile, three runs, the middle one. It is fetched for this alone. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, it } from 'vitest'
import { root } from '../root.ts'
import { chromiumArgs, chromiumPath } from '../e2e/harness.ts'
import { NodeProcess, Workplace } from './node-process.ts'
import { percentile, printTable, type Row } from './table.ts'

const version = '12.8.2'
const runs = 3

interface Report {
  readonly categories: Readonly<Record<string, { readonly score: number }>>
  readonly audits: Readonly<Record<string, { readonly numericValue?: number }>>
}

const goals = { accessibility: 100, 'best-practices': 100, performance: 95 } as const
const timings = ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time'] as const

describe('lighthouse', () => {
  it('the app at a node', async () => {
    const place = new Workplace()
    const node = await NodeProcess.helper(['--memory'], join(root, 'build'))
    const reports: Report[] = []
    try {
      for (let i = 0; i < runs; i++) {
        const file = join(place.folder, `report-${i}.json`)
        const flags = ['--headless=new', ...chromiumArgs].join(' ')
        const args = [`lighthouse@${version}`, node.url, '--output=json', `--output-path=${file}`, '--quiet']
        const only = `--only-categories=${Object.keys(goals).join(',')}`
        await promisify(execFile)('npx', ['--yes', ...args, only, `--chrome-flags=${flags}`], {
          env: { ...process.env, CHROME_PATH: chromiumPath },
        })
        // Its documented form.
        reports.push(JSON.parse(readFileSync(file, 'utf8')) as Report)
      }
    } finally {
      await node.end()
      place.remove()
    }
    const middle = (of: (report: Report) => number | undefined) =>
      percentile(
        reports.map((report) => of(report) ?? Number.NaN),
        0.5,
      )
    const rows: Row[] = Object.entries(goals).map(([category, goal]) => {
      const score = 100 * middle((report) => report.categories[category]?.score)
      return { what: category, value: score.toFixed(0), against: `goal ${goal}`, ratio: score / goal }
    })
    for (const audit of timings) {
      const value = `${middle((report) => report.audits[audit]?.numericValue).toFixed(0)} ms`
      rows.push({ what: audit, value, against: 'no goal' })
    }
    printTable(`Lighthouse ${version}, mobile profile, the middle of ${runs} runs`, rows)
  })
})

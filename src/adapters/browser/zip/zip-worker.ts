/** Composition root of the worker that packs: a page that draws does not wait for it. Ended by who made it. */
import { zipOf, type Packed } from '../../zip.ts'

onmessage = ({ data }: MessageEvent<readonly Packed[]>) => {
  zipOf(data, (bytes) => postMessage({ bytes })).then(
    (blob) => postMessage({ blob }),
    (error: unknown) => {
      console.error(error)
      postMessage({ fault: 'failed' })
    },
  )
}

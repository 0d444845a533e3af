/** Client-only shells with relative addresses: the same build works under any path (`dependencies.md` §2). */
export const ssr = false
export const prerender = true
export const trailingSlash = 'always'

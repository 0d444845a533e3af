/** In place of `$app/state`: a file has no pages, and what the app shows sits in the hash. */
class Page {
  url = $state.raw(new URL(location.href))

  constructor() {
    addEventListener('hashchange', () => this.look())
    addEventListener('popstate', () => this.look())
  }

  look(): void {
    this.url = new URL(location.href)
  }
}

export const page = new Page()

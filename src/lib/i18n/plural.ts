/** The forms that a number of things takes in a language (CLDR plural rules, from `Intl`). */
type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { readonly other: string }

/** @returns what counts in that language: the number, and the form that goes with it; `#` stands for the number */
export function counter(code: string): (n: number, forms: Forms) => string {
  const rules = new Intl.PluralRules(code)
  const numbers = new Intl.NumberFormat(code)
  return (n, forms) => (forms[rules.select(n)] ?? forms.other).replace('#', numbers.format(n))
}

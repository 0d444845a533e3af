/** What is said of direct messages, in every language: little enough to come together. */
/** A type, not an interface: tests read it as words of any name. */
type Words = {
  readonly title: string
  readonly message: string
  readonly sealed: string
  readonly start: (who: string) => string
  readonly startHint: string
}

export const directWords: Readonly<Record<'en' | 'de' | 'es' | 'fr' | 'ar', Words>> = {
  en: {
    title: 'DIRECT MESSAGES',
    message: 'Message',
    sealed: 'sealed: only you two can read it',
    start: (who: string) => `Nothing between you and ${who} yet.`,
    startHint:
      'What you write is sealed for their device. While it is away others carry it, and cannot read it. Files are not sealed yet: share them in a channel.',
  },
  de: {
    title: 'DIREKTNACHRICHTEN',
    message: 'Nachricht schreiben',
    sealed: 'versiegelt: nur ihr zwei könnt es lesen',
    start: (who: string) => `Zwischen dir und ${who} steht noch nichts.`,
    startHint:
      'Was du schreibst, ist für das andere Gerät versiegelt. Ist es fort, tragen es andere und können es nicht lesen. Dateien werden noch nicht versiegelt: teile sie in einem Kanal.',
  },
  es: {
    title: 'MENSAJES DIRECTOS',
    message: 'Escribir mensaje',
    sealed: 'sellado: solo ustedes dos pueden leerlo',
    start: (who: string) => `Todavía no hay nada entre usted y ${who}.`,
    startHint:
      'Lo que escribe va sellado para el otro dispositivo. Mientras falta, otros lo llevan y no pueden leerlo. Los archivos aún no se sellan: compártalos en un canal.',
  },
  fr: {
    title: 'MESSAGES DIRECTS',
    message: 'Écrire un message',
    sealed: 'scellé : vous deux seuls pouvez le lire',
    start: (who: string) => `Rien encore entre vous et ${who}.`,
    startHint:
      'Ce que vous écrivez est scellé pour l’autre appareil. En son absence d’autres le portent sans pouvoir le lire. Les fichiers ne sont pas encore scellés : partagez-les dans un salon.',
  },
  ar: {
    title: 'رسائل مباشرة',
    message: 'إرسال رسالة',
    sealed: 'مختومة: لا يقرؤها إلا أنتما',
    start: (who: string) => `لا شيء بينك وبين ${who} بعد.`,
    startHint:
      'ما تكتبه مختوم لجهاز الطرف الآخر. في غيابه يحمله آخرون ولا يستطيعون قراءته. الملفات لا تُختم بعد: شاركها في قناة.',
  },
}

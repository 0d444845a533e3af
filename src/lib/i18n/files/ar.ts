/** العربية: words about files. */
import { counter } from '../plural.ts'
import type { FileMessages } from './en.ts'

const count = counter('ar')
const several = (n: number) =>
  count(n, {
    zero: 'لا ملفات',
    one: 'ملف واحد',
    two: 'ملفان',
    few: '# ملفات',
    many: '# ملفًا',
    other: '# ملف',
  })

export const files: FileMessages = {
  title: (n) => `إرسال ${several(n)}`,
  caption: 'إضافة رسالة',
  send: 'إرسال',
  leaveOut: (name) => `استبعاد ${name}`,
  quality: (name) => `حجم ${name}`,
  original: (size) => `كما هي، ${size}`,
  smaller: (size) => `أصغر، نحو ${size}`,
  smallerWait: 'أصغر، قيد الإعداد',
  tooMany: (n) => `على الأكثر ${several(n)} في المرة الواحدة؛ استُبعد الباقي.`,
  empty: (name) => `${name} فارغ.`,
  tooLarge: (name) => `${name} أكبر من 16 غيغابايت.`,
  folder: (name) => `${name} مجلد أو لا يمكن قراءته.`,
  dropHere: 'أفلت الملفات هنا لإرسالها',
  preparing: (name, percent) => `جارٍ إعداد ${name}: ${percent}`,
  cancelOf: (name) => `إلغاء ${name}`,
  notTaken: {
    full: (name) => `لم يُرسل: لا مكان لـ ${name} على هذا الجهاز.`,
    failed: (name) => `لم يُرسل: تعذر حفظ ${name} على هذا الجهاز.`,
    changed: (name) => `لم يُرسل: تغيّر ${name} أثناء قراءته.`,
  },
  makeRoom: 'توفير مكان',
  offered: (size, who) => `${size} · من ${who}`,
  offeredOwn: (size) => `${size} · لم يعد على هذا الجهاز`,
  get: 'جلب',
  open: 'فتح',
  save: 'حفظ',
  pause: 'إيقاف مؤقت',
  resume: 'متابعة',
  cancel: 'إلغاء',
  remove: 'إزالة من هذا الجهاز',
  getting: (held, size) => `${held} من ${size}`,
  rate: (rate) => `${rate} في الثانية`,
  left: (time) => `يتبقى نحو ${time}`,
  minutes: (n) => `${n} د`,
  seconds: (n) => `${n} ث`,
  hours: (n) => `${n} س`,
  from: (who) => `من ${who}`,
  waiting: (held, size) => `ينتظر عند ${held} من ${size}. يتابع حين يصبح في المتناول من لديه الملف.`,
  paused: (held, size) => `متوقف عند ${held} من ${size}`,
  full: (needed) => `لا مكان على هذا الجهاز: يلزم ${needed} أخرى.`,
  again: 'حاول مجددًا',
  checked: (size) => `${size} · كامل ومفحوص`,
  onlyYou: (size) => `${size} · لديك وحدك`,
  alsoOn: (n) =>
    count(n, {
      zero: 'ليس لدى أي جهاز آخر',
      one: 'لدى جهاز آخر',
      two: 'لدى جهازين آخرين',
      few: 'لدى # أجهزة أخرى',
      many: 'لدى # جهازًا آخر',
      other: 'لدى # جهاز آخر',
    }),
  damaged: (who) => `كانت نسخة ${who} تالفة؛ يأتي ذلك الجزء من غيره.`,
  notShown: 'أكبر من أن يُعرض هنا؛ احفظه لتراه.',
  progress: (name) => `كم من ${name} موجود هنا`,
  savesBandwidth: 'عدم جلب أي ملف تلقائيًا (يوفر على الوصلات البطيئة)',
  picture: (name) => `صورة: ${name}`,
}

/**
 * Returns an upper estimate of a text's tokens, without any model's vocabulary: the sum of a cost per character, in
 * quarters of a token. The tables were measured on the encodings o200k and cl100k, taking the higher cost of the two;
 * `tests/answers/tokens.test.ts` checks them.
 *
 * - An ASCII letter costs what `PAIRS` says for it and the letter before it: `th` continues a token, `qx` starts one.
 *   The weights overestimate English, French, German, Polish, Turkish and code the least, while text in any of them, or
 *   random letters, seldom costs more.
 * - Any other letter or sign costs what it does alone: one token if it is in `SINGLE`; two if `TWO` has the bit of its
 *   block of 64 characters, which share a prefix that is a token; else three. A surrogate pair costs four, emoji three.
 * - Keys of our own JSON have measured costs.
 * - Digits cost exactly one token per three. Punctuation after other punctuation costs three quarters of a token, and
 *   one quarter in the pairs that JSON contains, because `":"` and the like are single tokens.
 *
 * @param enough stop counting above this number of tokens; the result is then only known to exceed it
 */
export function estimateTokens(text: string, enough = Number.POSITIVE_INFINITY): number {
  let quarters = SLACK;
  let before = 0; // the code unit before this one
  let digits = 0; // how many digits came right before
  for (let i = 0; i < text.length && quarters <= enough * TOKEN; i++) {
    const unit = text.charCodeAt(i);
    const key = before === QUOTE ? keyAt(text, i) : '';
    if (key) {
      quarters += (KEYS.get(key) as number) * TOKEN;
      i += key.length - 1;
      before = LETTER;
      continue;
    }
    if (isDigit(unit)) {
      if (before === SPACE) quarters += TOKEN; // a number's token never includes the space before it
      if (digits % 3 === 0) quarters += TOKEN;
      digits++;
    } else {
      digits = 0;
      quarters += unit < 128 ? ascii(unit, before) : beyond(unit, before);
    }
    before = unit;
  }
  return Math.ceil(quarters / TOKEN);
}

/** Returns whether a text fits a budget. For most texts the highest possible cost per character already decides. */
export const costsAtMost = (text: string, budget: number): boolean =>
  text.length * (/^[\0-\x7f]*$/.test(text) ? 2 : 4) + SLACK / TOKEN <= budget || estimateTokens(text, budget) <= budget;

/** One token, in quarters. */
const TOKEN = 4;

/** Margin of six tokens: the weights hold on average over dozens of words, but single words may cost more. */
const SLACK = 6 * TOKEN;

const [SPACE, QUOTE, ZERO, NINE, COLON, LETTER] = [0x20, 0x22, 0x30, 0x39, 0x3a, 0x61];

/** Returns the key of our JSON that starts here and is followed by `":`, or an empty string. */
function keyAt(text: string, start: number): string {
  const end = text.indexOf('"', start);
  if (end < 0 || end - start > LONGEST_KEY || text.charCodeAt(end + 1) !== COLON) return '';
  const key = text.slice(start, end);
  return KEYS.has(key) ? key : '';
}

const isDigit = (unit: number) => unit >= ZERO && unit <= NINE;
const isLetter = (unit: number) => (unit | 32) >= 97 && (unit | 32) <= 122;
const isUpper = (unit: number) => unit >= 65 && unit <= 90;

function ascii(unit: number, before: number): number {
  if (isLetter(unit)) {
    // A capital after a small letter starts a word. Words in capitals or after digits split into more tokens.
    const inside = before < 128 && isLetter(before) && !(isUpper(unit) && !isUpper(before));
    const weight = PAIRS[(inside ? (before | 32) - 97 : 26) * 26 + (unit | 32) - 97] as number;
    return (inside && isUpper(unit)) || isDigit(before) ? weight + 1 : weight;
  }
  if (unit === SPACE) return before === SPACE ? 2 : 0; // the next word's token includes one space
  if (unit === before) return 2;
  if (unit < SPACE || before <= SPACE || before > 126 || isLetter(before) || isDigit(before)) return TOKEN;
  return IN_JSON.has(before * 128 + unit) ? 1 : 3;
}

function beyond(unit: number, before: number): number {
  if (unit >= 0xdc00 && unit < 0xe000) return TOKEN; // low surrogate
  const high = unit >= 0xd800 && unit < 0xdc00;
  const cost = !high ? (ALONE[unit] as number) : (unit >= 0xd83c && unit <= 0xd83e ? 2 : 3) * TOKEN;
  // Alphabets with single-token letters also have tokens that begin with a space.
  if (before === SPACE) return cost + (cost === TOKEN && unit < 0x590 ? 1 : TOKEN);
  return cost;
}

/** Cost in quarters of each letter a to z: 26 digits for after an a, and so on; the last 26 for the start of a word. */
const PAIRS = Uint8Array.from(
  '50004302132010403000302212143304442040331352141454131232124123002403301024433314321314222113234103233415' +
    '00002225334121410101301014132302521441350641330444044555043215523344413233443313440444053314034240014426' +
    '20001016533100005200425352342303424434353324022235441423222323342233442433452522411434124245044301214405' +
    '10320304233123103313124414141110042410530033012255241010300335321022502003024403430343444004123100335424' +
    '33343434355134422333022434230203041530200462101445042422034025533411322013340625121300134323204102443404' +
    '00300203135002414001444234244403143442362353445334341443043004334013532433232513133224134232404420444423' +
    '453555463543412153334535641445135334322324424234330234345343445545346443444656',
  Number,
);

/** Characters that are a single token by themselves in both encodings. */
const SINGLE =
  '¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¹º»¼½¾¿ÀÁÂÃÄÇÉÍÎÐÑÓÖ×ÚÜßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýāăąćčĐđēęěğīİıłńōőœřśşšţťūůűźżž' +
  'ơưșțəɵ\u0300\u0301άέήίαβγδεηθικλμνοπρςστυφχωόЂАБВГДЕЗИКЛМНОПРСТУФЦЧЭЯабвгдежзийклмнопрстуфхцчшщъыьэюяёі\u05d0' +
  '\u05d1\u05d3\u05d4\u05d5\u05d7\u05d9\u05dc\u05de\u05e0\u05e2\u05e8\u05e9\u05ea\u060c\u0623\u0625\u0627\u0628' +
  '\u0629\u062a\u062b\u062c\u062d\u062e\u062f\u0630\u0631\u0632\u0633\u0634\u0635\u0636\u0637\u0638\u0639\u063a' +
  '\u0641\u0642\u0643\u0644\u0645\u0646\u0647\u0648\u0649\u064a\u064e\u064f\u0650\u0651\u0652\u067e\u06a9\u06af' +
  '\u06cc\u0902कतनपमरलसह\u093e\u093f\u0940\u0941\u0947\u094b\u094dনর\u09be\u09bf\u09c7\u09cd\u0bbf\u0bc1\u0bcd' +
  '\u0d4dกขคงจชณดตถทนบปผพมยรลวสหอะ\u0e31าำ\u0e34\u0e35\u0e37\u0e38\u0e39เแใไ\u0e47\u0e48\u0e49\u0e4c\u17b6ạảấầẩậắặế' +
  'ềểệỉịọỏốồổỗộớờởợụủứửữự\u200b\u200c\u200e‐‑–—―‘’‚“”„†•…‰′″›※₂€™←↑→↓−─━│═║╗╝█░■►●★☆☴♀♥♪✔⠀\u3000、。《》「」『』【】〜あいうえおかがき' +
  'くけこごさざしじすせそただちっつてでとどなにのはばまみめもやよらりるれろわをんアィイウェエオカキクグコサシジスズセタダチッテデトドナニバパビピフブプペポマムメャュョラリルレロン・\u30fc一万三上下不与专业东两个中串为主么' +
  '义之也书了事二于五些交产享京人亿今介从他付代以们件价任份企优会传但位体何余作你使例供価保信修倍值停像元先入全公共关其具内円册再写出击分列则初利别到制前力功加务动動包化北区十午华单南即历原去县参及友反发取变口只可台右号司合同名' +
  '后向否含听启告员周命和品哈商問器四回因国图土在地场址型城基報場填增声处备复外多大天失头女好如始子字存学安宋完定实审客家容密对导将小少尔就局展山岁州工左已市布常平年并广序库应店度建开异式引张当录形影径待後得微心必志态思性总息您' +
  '情意感成我或户所手打找技投报拉持指按换据排接推提播支收改放政效数整文料断新方族无日时明易星是時景更最月有服期木未本机权束条来板构析果查标样核格案检模次款止正此步歳段每比民気水求江汽没治法注活流海消清游源火点無然片版物特率环现' +
  '球理生用由电男画界番登的监目直相省看県真知码确示社票私种科秒称移程稍税稿空立站章端笑符第等签简算管箱米类系素索约级线组经结给络统编网置美老考者而联能自至色节英藏行表装西要見见规视角解言計記話読计认议记论设证评试话询该详语误说' +
  '请读调象责败账货购费资起超路身车转软载辑输达过运近还这进连述退送选通速造連道邮部都配释里重量金钟钮链销错键长開間関门闭问间队阳陆限院除雅集雷需非面音页项预频题额首验高黑가간값개거게결경고공과구그글기나내는능니다당대도동되된드' +
  '든들디라래러력로록료류른를름리만메면명목문미버번보복부분비사산상색생서성세션소수스습시식신아야어에여열오와요용우운원위으은을음의이인일임입자작장재적전정제져조주지진째체출치크태터턴트튼하한할함해호화환회\ufe0f！（），－' +
  '．／０１２３４５６７８９：；＞？＾～･￥�';

/** One bit per 64 characters of the BMP, four per hex digit, lowest first: set if none costs more than two tokens. */
const TWO =
  'ffffffff0ffcff739000000c000000c077302f3700000000f20000000000000000000000000000ffbeffb78bfb0e78ffb1ff6fffb20ffff1' +
  '213c13e36fff63c7f8fb1020ec7eff0ef801cff3f4200084000000000000fa3043ca910cbe68d410c7c00ef71d005420a1410230ffffffff' +
  '0000000000000000400000000000001f';

/** Cost in quarters of each BMP character by itself. */
const ALONE = Uint8Array.from({ length: 0x10000 }, (_, unit) =>
  (Number.parseInt(TWO[unit >> 8] as string, 16) >> ((unit >> 6) & 3)) & 1 ? 2 * TOKEN : 3 * TOKEN,
);
for (const character of SINGLE) ALONE[character.charCodeAt(0)] = TOKEN;

/** Pairs of punctuation that occur in any JSON. */
const IN_JSON = new Set(
  ['{"', '":', ':"', '",', ',"', '"}', '},', ',{', ':[', '["', '"]', '],'].map(
    ([a = '', b = '']) => a.charCodeAt(0) * 128 + b.charCodeAt(0),
  ),
);

/** Frequent keys of our answers by their cost in tokens. Other keys are counted like any word. */
const KEYS = new Map(
  Object.entries({
    1: 'id title status due start priority project labels parent created updated completed description version',
    2: 'estimate_minutes subtasks next_cursor',
  }).flatMap(([cost, keys]) => keys.split(' ').map((key) => [key, Number(cost)] as const)),
);
const LONGEST_KEY = Math.max(...[...KEYS.keys()].map((key) => key.length));

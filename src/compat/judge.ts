/**
 * What one kernel does with what another wrote, layer by layer in the order in which it meets them. The rules here only
 * find out which case holds; what the kernel does about it is in abi/behaviour.
 */
import type { Outcome } from '../../abi/behaviour/behaviour.js';
import { type FactName, isFactName, outcomeOf } from '../../abi/behaviour/facts.js';
import { khoOff, liveupdateOff } from '../../abi/behaviour/versions.js';
import type { Release } from '../../abi/contract.js';
import { DEFAULT_PAGE_SIZE } from '../codec/layout-table.js';
import { compareLayouts, type LayoutRelation } from './same-layout.js';
import { infoOf, orderOf, type Part, type Side, versionOf } from './side.js';
import { type LayerVerdict, NOT_REACHED, severityOf } from './verdict.js';

const taken = (layer: string): Outcome => ({
  kind: 'taken-over',
  errno: null,
  text: infoOf(layer)?.takenOver ?? 'files find their handler',
  evidence: 'source',
});
const notReached: Outcome = { kind: 'ignored', errno: null, text: NOT_REACHED, evidence: 'source' };
const derived = (kind: Outcome['kind'], text: string): Outcome => ({ kind, errno: null, text, evidence: 'derived' });
const because = (why: string): Outcome => derived('unknown', `unknown, because ${why}`);

/** After these nothing else of the handover is looked at. */
const stops = (outcome: Outcome): boolean => outcome.kind === 'cold-boot' || outcome.kind === 'panic';

/** Judges by what one release does. */
export function judge(from: Side, to: Side, release: Release): readonly LayerVerdict[] {
  return new Judge(from, to, release).run();
}

class Judge {
  readonly #from: Side;
  readonly #to: Side;
  readonly #release: Release;
  readonly #pageSize: number;
  readonly #rows: LayerVerdict[] = [];
  #stopped = false;
  /** there is no /dev/liveupdate: nothing of LUO below its root is reached */
  #luoClosed = false;
  /** a map of another form was read */
  #otherMap = false;

  constructor(from: Side, to: Side, release: Release) {
    this.#from = from;
    this.#to = to;
    this.#release = release;
    this.#pageSize = from.pageSize ?? to.pageSize ?? DEFAULT_PAGE_SIZE;
  }

  run(): readonly LayerVerdict[] {
    const single = [...this.#from.parts, ...this.#to.parts].filter((part) => part.role !== 'handler' && part.role !== 'flb').map((part) => part.layer);
    const untold = [...this.#from.unknown.keys(), ...this.#to.unknown.keys()].filter(
      (layer) => infoOf(layer)?.role !== 'handler' && infoOf(layer)?.role !== 'flb',
    );
    const layers = [...new Set([...single, ...untold])];
    layers.sort((one, other) => orderOf(one) - orderOf(other));
    for (const layer of layers) {
      if (layer === 'luo') this.#fdtOfLuo();
      else this.#subtree(layer);
    }
    this.#flbs();
    this.#handlers();
    return this.#rows;
  }

  /** What the release does; where it does not get there, the data is left alone. */
  #does(fact: FactName): Outcome {
    return outcomeOf(fact, this.#release) ?? outcomeOf('subtree/unclaimed', this.#release) ?? because('it is not described what this release does');
  }

  #find(name: string): Outcome | null {
    return isFactName(name) ? outcomeOf(name, this.#release) : null;
  }

  /** The root and the subtrees that are one blob each. */
  #subtree(layer: string): void {
    const from = this.#part(this.#from, layer);
    const to = this.#part(this.#to, layer);
    if (layer === 'luo-session' || layer === 'luo-flb') return;
    this.#add(from, to, layer, () => (layer === 'kho' ? this.#root(from, to) : this.#plain(layer, from, to)));
  }

  #root(from: Part | null, to: Part | null): Outcome {
    if (from === null) {
      const why = this.#from.unknown.get('kho');
      if (why !== undefined) return because(why);
      return derived('cold-boot', 'nothing is handed over, because the first kernel has no KHO: the next one boots cold');
    }
    if (to === null) {
      const why = this.#to.unknown.get('kho');
      if (why !== undefined) return because(why);
      return derived('cold-boot', 'has no KHO: boots as if nothing had been handed over, all preserved memory is lost');
    }
    if (from.compatible !== null && to.compatible !== null && from.compatible !== to.compatible) return this.#does('version/kho');
    if (this.#from.pageSize !== null && this.#to.pageSize !== null && this.#from.pageSize !== this.#to.pageSize)
      return derived(
        'corrupts',
        `accepts it, and reads a map made for pages of ${this.#from.pageSize} bytes with pages of ${this.#to.pageSize}: wrong memory is reserved`,
      );
    const layout = compareLayouts(from, to, this.#pageSize);
    if (layout.relation === 'unknown') return because(layout.why);
    if (layout.relation === 'same')
      return from.compatible === null || to.compatible === null ? because('its version string cannot be read here') : taken('kho');
    const form = from.contracts.map(({ id }) => this.#find(`map/${id}`)).find((found) => found !== null);
    if (form === undefined) return derived('corrupts', `accepts the same string, and reads it wrongly: ${layout.why}`);
    this.#otherMap = true;
    return form;
  }

  #plain(layer: string, from: Part | null, to: Part | null): Outcome {
    if (from === null) return this.#nothing(layer, 'nothing to take over: none was written');
    const override = this.#otherMap ? this.#find(`after-map/${layer}`) : null;
    if (override !== null) return override;
    if (to === null) {
      const why = this.#to.unknown.get(layer);
      return why === undefined ? this.#does('subtree/unclaimed') : because(why);
    }
    const layout = compareLayouts(from, to, this.#pageSize);
    const other = from.compatible !== to.compatible || (from.compatible === null && layout.relation === 'different');
    if (layer === 'memblock' && other) return this.#does('version/memblock');
    if (layer === 'kexec-metadata' && other) return this.#does('version/kexec-metadata');
    if (other) return { ...this.#does('subtree/unclaimed'), text: 'refuses another version of its subtree, whose memory stays reserved and unclaimed' };
    return this.#readAs(layer, layout, 'the next kernel reads it wrongly');
  }

  #fdtOfLuo(): void {
    const from = this.#part(this.#from, 'luo');
    const to = this.#part(this.#to, 'luo');
    const version = outcomeOf('version/luo', this.#release);
    this.#add(from, to, 'luo', () => {
      if (from === null) return this.#nothing('luo', 'no LUO data to find: the next kernel starts without sessions');
      if (to === null || version === null) {
        const why = this.#to.unknown.get('luo');
        return why === undefined ? this.#does('luo/none') : because(why);
      }
      if (from.compatible !== to.compatible) return version;
      return this.#readAs('luo', compareLayouts(from, to, this.#pageSize), 'the next kernel reads the LUO root wrongly');
    });
    for (const layer of ['luo-session', 'luo-flb'] as const) this.#luoNode(layer, from !== null, to !== null);
  }

  #luoNode(layer: 'luo-session' | 'luo-flb', written: boolean, spoken: boolean): void {
    const from = this.#part(this.#from, layer);
    const to = this.#part(this.#to, layer);
    if (from === null && to === null) return;
    this.#add(from, to, layer, () => {
      if (!written) return this.#nothing(layer, 'nothing to take over: none was written');
      if (!spoken) return notReached;
      if (to === null) return this.#does('flb/none');
      if (from === null || from.compatible !== to.compatible) return this.#does(`version/${layer}`);
      return this.#readAs(layer, compareLayouts(from, to, this.#pageSize), 'the next kernel reads it wrongly');
    });
  }

  #flbs(): void {
    // Tests are named where a dump holds them: of a release nobody knows whether it was built with them.
    const written = this.#from.parts.filter((part) => part.role === 'flb' && (this.#from.kind === 'dump' || infoOf(part.layer)?.testOnly !== true));
    for (const from of written) {
      const to = this.#to.parts.find((part) => part.role === 'flb' && part.compatible === from.compatible) ?? null;
      this.#add(from, to ?? this.#part(this.#to, from.layer), from.layer, () => {
        if (!this.#hasLuo()) return notReached;
        if (to !== null) return this.#readAs(from.layer, compareLayouts(from, to, this.#pageSize), 'its owner reads it wrongly');
        const why = this.#to.unknown.get(from.layer);
        return why === undefined ? this.#does('flb/unclaimed') : because(why);
      });
    }
  }

  /** Handlers that refuse come first: where one does, opening fails and the others are not reached. */
  #handlers(): void {
    const written = this.#from.parts.filter((part) => part.role === 'handler');
    const judged = written.map((from) => {
      const to = this.#to.parts.find((part) => part.role === 'handler' && part.compatible === from.compatible) ?? null;
      return { from, to: to ?? this.#part(this.#to, from.layer), outcome: this.#handler(from, to) };
    });
    judged.sort((one, other) => Number(one.outcome.kind !== 'open-fails') - Number(other.outcome.kind !== 'open-fails'));
    for (const { from, to, outcome } of judged) {
      this.#add(from, to, from.layer, () => (this.#hasLuo() ? outcome : notReached));
      if (outcome.kind === 'open-fails' && from.inUse) this.#stopped = true;
    }
    for (const to of this.#to.parts.filter((part) => part.role === 'handler')) {
      if (written.some((from) => from.layer === to.layer)) continue;
      this.#add(null, to, to.layer, () => this.#nothing(to.layer, 'nothing to take over: no such file was written'));
    }
  }

  #handler(from: Part, to: Part | null): Outcome {
    if (to !== null) return this.#readAs(from.layer, compareLayouts(from, to, this.#pageSize), 'its handler reads it wrongly');
    const why = this.#to.unknown.get(from.layer);
    if (why !== undefined) return because(why);
    return this.#does('version/handler');
  }

  /** Nothing of the layer was written, or it can't be told. */
  #nothing(layer: string, text: string): Outcome {
    const why = this.#from.unknown.get(layer);
    return why === undefined ? { kind: 'ignored', errno: null, text, evidence: 'source' } : because(why);
  }

  /** The string is accepted: the layout decides. */
  #readAs(layer: string, layout: LayoutRelation, wrongly: string): Outcome {
    if (layout.relation === 'same') return taken(layer);
    if (layout.relation === 'unknown') return because(layout.why);
    if (infoOf(layer)?.testOnly === true) return because(`how the test takes the other form of its data was not tried: ${layout.why}`);
    return derived('corrupts', `the string is the same and the layout is not, so ${wrongly}: ${layout.why}`);
  }

  /** Is there LUO data that the next kernel looks into? */
  #hasLuo(): boolean {
    return this.#part(this.#from, 'luo') !== null && this.#part(this.#to, 'luo') !== null && outcomeOf('version/luo', this.#release) !== null;
  }

  #part(side: Side, layer: string): Part | null {
    return side.parts.find((part) => part.layer === layer) ?? null;
  }

  #add(from: Part | null, to: Part | null, layer: string, decide: () => Outcome): void {
    const closed = this.#stopped || (this.#luoClosed && this.#isOfLuo(from ?? to));
    const outcome = closed ? notReached : this.#switched(layer, decide());
    const info = infoOf(layer);
    const versions = { from: versionOf(from), to: versionOf(to) };
    const holds = from === null || from.holds === null || outcome === notReached ? '' : ` (${from.holds})`;
    const text = fill(outcome.text, versions) + hedge(outcome) + holds;
    const matters = from?.inUse === true && (stops(outcome) || (info?.carriesData ?? true));
    this.#rows.push({
      layer,
      ...versions,
      outcome: outcome.kind,
      errno: outcome.errno,
      text,
      severity:
        from === null && !stops(outcome) && outcome.kind !== 'unknown'
          ? 'info'
          : severityOf(outcome.kind, text, matters || stops(outcome) || (outcome.kind === 'unknown' && info?.testOnly !== true)),
      evidence: outcome.evidence,
      rule: `compat/${layer}`,
      suppressed: null,
    });
    if (stops(outcome)) this.#stopped = true;
    if (layer === 'luo' && outcome.kind === 'open-fails') this.#luoClosed = true;
  }

  #isOfLuo(part: Part | null): boolean {
    return part !== null && (part.role === 'luo-node' || part.role === 'flb' || part.role === 'handler');
  }

  /** What kho=off or liveupdate=off makes of what would be taken over. */
  #switched(layer: string, outcome: Outcome): Outcome {
    if (outcome.kind !== 'taken-over') return outcome;
    const { kho, liveupdate } = this.#to.switches;
    return (kho ? undefined : khoOff[layer]) ?? (liveupdate ? undefined : liveupdateOff[layer]) ?? outcome;
  }
}

const fill = (text: string, versions: { readonly from: string | null; readonly to: string | null }): string =>
  text.replaceAll('{from}', versions.from ?? 'missing').replaceAll('{to}', versions.to ?? 'none');

const hedge = (outcome: Outcome): string =>
  outcome.evidence === 'unverified' && outcome.kind !== 'unknown' ? " (from a neighbour release's code, not verified for this one)" : '';

/** Any sequence of verbs: the engine always answers, the same each time; nothing leaks; and a dump at any moment has nothing to complain about. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import type { Moment } from '../../src/engine/scenario/types.js';
import { extent } from '../extent.js';
import { play } from './scenario-text.js';

const names = ['a', 'b', 'c'];
const fds = ['m0', 'm1', 'm2', 'e0', '999', '-1'];
const sessions = ['s0', 's1', 's2', 'm0'];
const pick = <T>(list: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...list);
const joined = (...parts: readonly fc.Arbitrary<string | number>[]): fc.Arbitrary<string> => fc.tuple(...parts).map((values) => values.join(''));
const text = (value: string): fc.Arbitrary<string> => fc.constant(value);
const kib = fc.integer({ min: 0, max: 40 }).map((size) => `${size}KiB`);
const token = fc.integer({ min: 0, max: 4 });
const seals = fc.subarray(['SEAL', 'SHRINK', 'GROW', 'WRITE', 'FUTURE_WRITE', 'EXEC']).map((list) => `[${list.join(', ')}]`);

/** One step of each kind that can follow any other. */
const verb = fc.oneof(
  { weight: 2, arbitrary: text('do: open, as: luo') },
  { weight: 3, arbitrary: joined(text('do: create-session, name: '), pick(names), text(', as: '), pick(sessions)) },
  { weight: 2, arbitrary: joined(text('do: retrieve-session, name: '), pick(names), text(', as: '), pick(sessions)) },
  {
    weight: 4,
    arbitrary: joined(text('do: memfd, size: '), kib, text(', seals: '), seals, text(', pos: '), fc.nat(9000), text(', as: '), pick(fds.slice(0, 3))),
  },
  { weight: 6, arbitrary: joined(text('do: preserve, session: '), pick(sessions), text(', fd: '), pick(fds), text(', token: '), token) },
  { weight: 3, arbitrary: joined(text('do: retrieve, session: '), pick(sessions), text(', token: '), token, text(', as: '), pick(fds.slice(0, 3))) },
  { weight: 2, arbitrary: joined(text('do: finish, session: '), pick(sessions), text(', reserved: '), fc.nat(1)) },
  { weight: 2, arbitrary: joined(text('do: close, fd: '), pick([...fds, ...sessions, 'luo'])) },
  { weight: 1, arbitrary: joined(text('do: dup, fd: '), pick([...fds, ...sessions]), text(', as: '), pick(fds.slice(0, 3))) },
  { weight: 1, arbitrary: joined(text('do: reopen, mode: ro, fd: '), pick(fds), text(', as: '), pick(fds.slice(0, 3))) },
  { weight: 1, arbitrary: joined(text('do: write, data: hello, fd: '), pick(fds), text(', offset: '), fc.nat(50_000)) },
  { weight: 1, arbitrary: joined(text('do: truncate, fd: '), pick(fds), text(', size: '), kib) },
  {
    weight: 1,
    arbitrary: joined(
      text('do: fallocate, fd: '),
      pick(fds),
      text(', size: 8KiB, mode: '),
      pick(['allocate', 'keep-size', 'punch-hole']),
      text(', offset: '),
      kib,
    ),
  },
  { weight: 1, arbitrary: joined(text('do: seal, fd: '), pick(fds), text(', seals: '), seals) },
  { weight: 1, arbitrary: joined(text('do: mmap, data: stored, fd: '), pick(fds), text(', offset: '), fc.nat(9000)) },
  {
    weight: 1,
    arbitrary: joined(
      text('do: ioctl, target: '),
      pick([...sessions, 'luo']),
      text(', nr: '),
      pick(['0xba00', '0xba01', '0xba40', '0xba41', '0xba42', '0xba43', '0xba44', '0xbb40']),
      text(', size: '),
      fc.nat(90),
    ),
  },
  { weight: 1, arbitrary: text('do: kexec-load') },
  { weight: 2, arbitrary: text('do: kexec') },
);
/** Names are unbound until something gets them: the language wants to see them given once. */
const NAMED = [
  'do: open, as: luo',
  ...sessions.slice(0, 3).map((as, index) => `do: create-session, name: first${index}, as: ${as}`),
  ...fds.slice(0, 3).map((as) => `do: memfd, size: 4KiB, as: ${as}`),
  'do: fd, kind: eventfd, as: e0',
];
const program = fc.array(verb, { minLength: 1, maxLength: 25 }).map((steps) => [...NAMED, ...steps]);
const releases = pick(['["7.3", "7.3"]', '["7.1", "7.1"]', '["7.2", "7.3", "7.2"]']);
const MOMENTS: readonly Moment[] = ['preserved', 'frozen', 'early', 'booted'];

describe('any program', () => {
  it('is carried out to its end, the same way each time', () => {
    fc.assert(
      fc.property(program, releases, (steps, kernels) => {
        const once = play(steps, { kernels });
        expect(once.client.end).toMatchObject({ ending: 'finished' });
        expect(once.answers).not.toContain('not reached');
        const again = play(steps, { kernels });
        expect(again.answers).toEqual(once.answers);
        expect(again.client.length).toBe(once.client.length);
      }),
      { numRuns: extent(20, 200) },
    );
  });

  it('leaves dumps that hold no error and no warning', () => {
    fc.assert(
      fc.property(program, releases, (steps, kernels) => {
        // Little memory: every dump is searched from end to end.
        const { client } = play([...steps, 'do: kexec'], { kernels, more: ['machine: { memory: 64MiB, scratch: [8MiB, 4MiB, 4MiB] }'] });
        for (const moment of MOMENTS) {
          const image = client.imageAt(moment);
          if (image === null) throw new Error(`${moment} was never passed`);
          const decoded = decodeHandovers({ memory: image.memory, runningRelease: image.vmcoreinfo.get('OSRELEASE') ?? null });
          const complaints = diagnose(decoded).filter((finding) => finding.severity !== 'info');
          expect(complaints.map((finding) => `${moment}: ${finding.rule} ${finding.message}`)).toEqual([]);
        }
      }),
      { numRuns: extent(7, 60) },
    );
  }, 60_000);

  it('gives everything back: with all descriptors closed, as much is preserved as before', () => {
    const quiet = verb.filter((step) => !step.includes('kexec'));
    fc.assert(
      fc.property(fc.array(quiet, { maxLength: 25 }), pick(['["7.3"]', '["7.1"]']), (steps, kernels) => {
        const closing = Array.from({ length: 70 }, (_, fd) => `do: close, fd: ${fd + 3}`);
        const { client, steps: trace } = play([...NAMED, ...steps, ...closing], { kernels });
        const booted = trace.find((step) => step.op === 'start_kernel' && step.phase === 'exit')?.step;
        const preserved = (step: number | undefined): unknown => client.stateAt(step).get('kernel 0/kho/preserved blocks');
        expect(preserved(client.length)).toBe(preserved(booted));
      }),
      { numRuns: extent(15, 120) },
    );
  });
});

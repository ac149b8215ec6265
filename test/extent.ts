/** How much of the long tests is run: a part on every change, all of it by `npm run check:all`, which sets LUO_INSPECT_TESTS=all. */
export const ALL = process.env.LUO_INSPECT_TESTS === 'all';

/** A count of runs: what a change is tested with, and what check:all takes. */
export const extent = (usual: number, all: number): number => (ALL ? all : usual);

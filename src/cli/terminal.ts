/** What kind of terminal a command talks to. */

/** Can the terminal UI be shown: are input and output terminals that can do more than print? */
export const onTerminal = (): boolean => process.stdout.isTTY === true && process.stdin.isTTY === true && process.env.TERM !== 'dumb';

/** NO_COLOR (any value but the empty one), --no-color. */
export const wantsColor = (options: { readonly color?: boolean }): boolean => options.color !== false && (process.env.NO_COLOR ?? '') === '';

/** Loaded before each test file: property tests draw the same in every run. With MCP_ALL=1 they draw anew, to find more. */
import fc from 'fast-check';

if (process.env.MCP_ALL !== '1') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 20_261_121 });

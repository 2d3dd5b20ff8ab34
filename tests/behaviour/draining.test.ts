import { test } from 'vitest';
import { AGENTS, drainPlan, PLAN } from '../support/draining.js';
import { agentOf, newAgent, useWorld } from '../support/harness.js';

const world = useWorld();

/** Ten times what it takes where nothing else runs. */
const LONG = { timeout: 300_000 };

test(
  'many agents do all tasks of a plan, each once, in an order that it allows, and share the work',
  LONG,
  async () => {
    const { principal } = await newAgent(world);
    const agents = await Promise.all(
      Array.from({ length: AGENTS }, (_, i) => agentOf(world, principal, `client ${i}`)),
    );
    const calls = agents.map(
      (agent) => async (tool: string, args: object) => (await agent.call(tool, { ...args })).json,
    );
    await drainPlan(PLAN, calls, { database: async () => world.database, handle: principal.handle });
  },
);

/** Every command of `mcp`, in the order of `mcp --help`. */
import { registerAb } from './ab.ts';
import { registerDiff, registerExport } from './agree.ts';
import { registerResume, registerSuspend } from './brake.ts';
import { registerCheckDocument } from './check-document.ts';
import { registerConsole } from './console.ts';
import { registerAgent, registerController, registerGateway, registerSupervisor } from './daemons.ts';
import { registerApply, registerScale } from './declare.ts';
import { registerDown } from './down.ts';
import { registerImage } from './image.ts';
import { registerEvents, registerHistory } from './log.ts';
import { registerMachines } from './machines.ts';
import { registerPlan } from './plan.ts';
import { registerPool } from './pool.ts';
import { registerAbort, registerPromote, registerRollouts } from './rollouts.ts';
import type { Register } from './run.ts';
import { registerStatus, registerWatch } from './status.ts';
import { registerUp } from './up.ts';
import { registerRollback, registerUpgrade } from './upgrade.ts';
import { registerWhy } from './why.ts';

export const commands: Register[] = [
  registerUp,
  registerDown,
  registerPlan,
  registerApply,
  registerDiff,
  registerExport,
  registerStatus,
  registerWatch,
  registerScale,
  registerUpgrade,
  registerRollouts,
  registerPromote,
  registerAbort,
  registerRollback,
  registerAb,
  registerWhy,
  registerCheckDocument,
  registerMachines,
  registerConsole,
  registerPool,
  registerImage,
  registerSuspend,
  registerResume,
  registerEvents,
  registerHistory,
  registerController,
  registerGateway,
  registerAgent,
  registerSupervisor,
];

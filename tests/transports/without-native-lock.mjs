// Preloaded into a server to stand in for a platform that the native lock is not built for (Linux with musl).
import { register } from 'node:module';

const hooks = `export const resolve = (specifier, context, next) => {
  if (specifier === 'fs-native-extensions') throw new Error('no such addon here');
  return next(specifier, context);
};`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

declare module 'fs-native-extensions' {
  const native: { tryLock(fd: number): boolean; unlock(fd: number): void };
  export default native;
}

import type { JSONRPCMessage, MessageExtraInfo, Transport, TransportSendOptions } from '@modelcontextprotocol/server';

/** A transport on top of another. Everything passes through it, in both directions; subclasses say what else happens. */
export abstract class TransportLayer implements Transport {
  onmessage?: Transport['onmessage'];
  onclose?: Transport['onclose'];
  onerror?: Transport['onerror'];

  constructor(protected readonly below: Transport) {
    below.onmessage = (message: JSONRPCMessage, extra?: MessageExtraInfo) => this.receive(message, extra);
    below.onclose = () => this.closed();
    below.onerror = (error) => this.onerror?.(error);
  }

  start(): Promise<void> {
    return this.below.start();
  }

  send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    return this.below.send(message, options);
  }

  close(): Promise<void> {
    return this.below.close();
  }

  /** Passes a message from below up. */
  protected receive(message: JSONRPCMessage, extra?: MessageExtraInfo): void {
    this.onmessage?.(message, extra);
  }

  protected closed(): void {
    this.onclose?.();
  }
}

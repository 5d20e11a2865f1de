import { Button } from "@mantine/core";
import { Component, type ReactNode } from "react";
import { texts } from "../texts";
import { Message } from "./Page";

/** Says so where a part of the page broke, such as a file of an older version that the server has no more. */
export class Crash extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <Message title={texts.broken.title} text={texts.broken.text}>
        <Button onClick={() => window.location.reload()}>{texts.tryAgain}</Button>
      </Message>
    );
  }
}

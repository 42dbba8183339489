// What the page takes from npm; `make vendor` bundles it into vendor.js.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);
export { Fragment, h, render } from "preact";
export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export { batch, computed, effect, signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";

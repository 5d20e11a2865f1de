import { ActionIcon, Button, NativeSelect, SegmentedControl, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useState } from "react";
import type { Presence, Role, SetStatus } from "../../api/types";
import { texts } from "../../texts";
import { CloseIcon, PlusIcon, SearchIcon } from "../../ui/icons";
import { openAccountForm } from "./actions/AccountForm";
import { presences, roles, sorts, statuses, type Filter, type Sort } from "./query";
import classes from "./Toolbar.module.css";

const TYPING_MS = 250;

interface Props {
  filter: Filter;
  change: (filter: Partial<Filter>) => void;
}

export function Toolbar({ filter, change }: Props) {
  return (
    <div className={classes.toolbar} role="search">
      <Search value={filter.search} onChange={(search) => change({ search })} />
      <ActionIcon className={classes.round} size={36} aria-label={texts.users.create} onClick={() => openAccountForm()}>
        <PlusIcon />
      </ActionIcon>
      <SegmentedControl
        className={classes.presence}
        aria-label={texts.users.presenceFilter}
        value={filter.presence ?? ""}
        onChange={(value) => change({ presence: (value || null) as Presence | null })}
        data={[
          { value: "", label: texts.users.everyone },
          ...presences.map((value) => ({ value, label: texts.presence[value] })),
        ]}
      />
      <NativeSelect
        className={classes.select}
        aria-label={texts.users.statusFilter}
        value={filter.status ?? ""}
        onChange={(event) => change({ status: (event.currentTarget.value || null) as SetStatus | null })}
        data={[
          { value: "", label: texts.users.anyStatus },
          ...statuses.map((value) => ({ value, label: texts.status[value] })),
        ]}
      />
      <NativeSelect
        className={classes.select}
        aria-label={texts.users.roleFilter}
        value={filter.role ?? ""}
        onChange={(event) => change({ role: (event.currentTarget.value || null) as Role | null })}
        data={[{ value: "", label: texts.users.anyRole }, ...roles.map((value) => ({ value, label: texts.role[value] }))]}
      />
      <NativeSelect
        className={classes.select}
        aria-label={texts.users.sort}
        value={filter.sort}
        onChange={(event) => change({ sort: event.currentTarget.value as Sort })}
        data={sorts.map((value) => ({ value, label: texts.users.sorts[value] ?? value }))}
      />
      <Button className={classes.create} leftSection={<PlusIcon size={16} />} onClick={() => openAccountForm()}>
        {texts.users.create}
      </Button>
    </div>
  );
}

function Search({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const tell = useDebouncedCallback(onChange, TYPING_MS);
  // The address may change by other ways, such as the browser's back button.
  useEffect(() => setTyped(value), [value]);

  function type(text: string) {
    setTyped(text);
    tell(text);
  }

  return (
    <TextInput
      className={classes.search}
      type="search"
      placeholder={texts.users.search}
      aria-label={texts.users.search}
      value={typed}
      onChange={(event) => type(event.currentTarget.value)}
      leftSection={<SearchIcon size={16} />}
      rightSection={
        typed ? (
          <ActionIcon variant="subtle" color="gray" size="sm" aria-label={texts.users.clear} onClick={() => type("")}>
            <CloseIcon size={14} />
          </ActionIcon>
        ) : null
      }
      spellCheck={false}
      autoComplete="off"
    />
  );
}

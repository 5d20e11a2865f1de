import { Button, Group, NativeSelect, PasswordInput, Stack, TextInput } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useQueryClient } from "@tanstack/react-query";
import { createUser, editUser, type AccountChanges } from "../../../api/calls";
import type { Role, User } from "../../../api/types";
import { texts } from "../../../texts";
import { FormError, field, secret, useSubmit } from "../../../ui/form";
import { said } from "../../../ui/notify";
import { roles } from "../query";
import { refresh } from "./optimistic";

export function openAccountForm(user?: User, myself = false) {
  const id = modals.open({
    title: user ? texts.actions.editTitle(user.username) : texts.actions.createTitle,
    children: <AccountForm user={user} myself={myself} close={() => modals.close(id)} />,
  });
}

/** One of the two that the form offers. */
const chosenRole = (form: FormData) => field(form, "role") as Role;

/** Only what differs from the account as it is. */
export function changesOf(user: User, form: FormData): AccountChanges {
  const changes: AccountChanges = {};
  const [username, email, role] = [field(form, "username"), field(form, "email"), chosenRole(form)];
  if (username !== user.username) changes.username = username;
  if (email !== (user.email ?? "")) changes.email = email;
  if (role && role !== user.role) changes.role = role;
  if (secret(form, "password")) changes.password = secret(form, "password");
  return changes;
}

interface Props {
  user?: User | undefined;
  myself: boolean;
  close: () => void;
}

function AccountForm({ user, myself, close }: Props) {
  const queries = useQueryClient();
  const form = useSubmit(
    async (form) => {
      const saved = user ? await edit(user, form) : await create(form);
      refresh(queries, saved?.id);
      close();
      if (!saved) said(texts.actions.nothingChanged);
      else said(user ? texts.actions.edited(saved.username) : texts.actions.created(saved.username));
    },
    ["username", "email", "password", "role"],
  );

  return (
    <form onSubmit={form.onSubmit} autoComplete="off">
      <Stack gap="md">
        <FormError error={form.error} />
        <TextInput
          name="username"
          label={texts.register.username}
          description={user ? undefined : texts.register.usernameHint}
          defaultValue={user?.username}
          error={form.at("username")}
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          required
          withAsterisk={false}
          data-autofocus
        />
        <TextInput
          name="email"
          type="email"
          label={texts.register.email}
          defaultValue={user?.email ?? ""}
          error={form.at("email")}
          autoComplete="off"
          required
          withAsterisk={false}
        />
        <PasswordInput
          name="password"
          label={user ? texts.actions.newPassword : texts.register.password}
          description={user ? texts.actions.newPasswordHint : texts.register.passwordHint}
          error={form.at("password")}
          autoComplete="new-password"
          required={!user}
          withAsterisk={false}
        />
        {myself ? null : (
          <NativeSelect
            name="role"
            label={texts.users.columns.role}
            description={user ? texts.actions.roleHint : undefined}
            defaultValue={user?.role ?? "user"}
            error={form.at("role")}
            data={roles.map((role) => ({ value: role, label: texts.role[role] }))}
          />
        )}
        <Group justify="flex-end" mt="xs">
          <Button variant="default" onClick={close}>
            {texts.cancel}
          </Button>
          <Button type="submit" loading={form.busy}>
            {user ? texts.save : texts.actions.create}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

async function edit(user: User, form: FormData) {
  const changes = changesOf(user, form);
  return Object.keys(changes).length > 0 ? editUser(user.id, changes) : null;
}

function create(form: FormData) {
  return createUser({
    username: field(form, "username"),
    email: field(form, "email"),
    password: secret(form, "password"),
    role: chosenRole(form),
  });
}
